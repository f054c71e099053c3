package penstock;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;
import javax.security.sasl.AuthenticationException;

/** What Spark's Thrift server asks whether a user may log in; it finds such a class by its name only. See users.py. */
public class PasswordCheck implements org.apache.hive.service.auth.PasswdAuthenticationProvider {
  public void Authenticate(String givenUser, String givenPassword) throws AuthenticationException {
    String user = text(givenUser);
    String password = text(givenPassword);
    boolean right = false;
    try {
      // Read at each login: who is taken out of the file stays out.
      for (Object line : Files.readAllLines(Paths.get(System.getProperty("penstock.users")), StandardCharsets.UTF_8)) {
        String entry = ((String) line).trim();
        int colon = entry.indexOf(':');
        if (colon > 0 && entry.substring(0, colon).equals(user)) {
          right = matches(password, entry.substring(colon + 1));
        }
      }
    } catch (Exception error) {
      throw new AuthenticationException("the users cannot be read: " + error);
    }
    if (!right) {
      throw new AuthenticationException("wrong user or password");
    }
  }

  /** Hive makes a character of each byte that came; they are UTF-8. */
  private static String text(String given) {
    byte[] bytes = new byte[given.length()];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) given.charAt(i);
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, as in RFC 5803 and PostgreSQL. */
  private static boolean matches(String password, String verifier) throws Exception {
    String[] parts = verifier.split("[$:]");
    byte[] salt = Base64.getDecoder().decode(parts[2]);
    PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, Integer.parseInt(parts[1]), 256);
    byte[] salted = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(salted, "HmacSHA256"));
    byte[] clientKey = mac.doFinal("Client Key".getBytes(StandardCharsets.UTF_8));
    byte[] storedKey = MessageDigest.getInstance("SHA-256").digest(clientKey);
    return MessageDigest.isEqual(storedKey, Base64.getDecoder().decode(parts[3]));
  }
}
