"""A server with users and TLS: who gets in by PyHive, beeline and dbt, and who does not."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from places import Server, beeline, free_port, make_place, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

USER, PASSWORD = "anna", "se$cret: ü"
# beeline reads its command line as words, in the terminal's encoding.
PLAIN_USER, PLAIN_PASSWORD = "bea", "let-me$in!"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with users.txt, and a certificate for localhost that no authority has signed."""
    place = make_place(tmp_path_factory.mktemp("guarded"))
    for user, password in ((USER, PASSWORD), (PLAIN_USER, PLAIN_PASSWORD)):
        added = subprocess.run(
            place.command("add-user", user, "--users", "users.txt"),
            cwd=place.folder, env=place.environment, input=f"{password}\n", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (added.returncode, added.stderr) == (0, "")
    write_certificate(place.folder)
    return place.folder


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Server]:
    place = make_place(folder, again=True)
    assert place.dbt("parse").returncode == 0
    tls = ("--tls-certificate", "certificate.pem", "--tls-key", "key.pem")
    with serving(place, "--users", "users.txt", *tls) as running:
        yield running
    assert not (folder / "home" / "servers" / f"{running.port}.p12").exists()


def write_certificate(folder: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "locked.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    )
    trusted = pkcs12.PKCS12Certificate(certificate, b"server")
    store = pkcs12.serialize_java_truststore([trusted], BestAvailableEncryption(b"changeit"))
    (folder / "trust.p12").write_bytes(store)


def connect(server: Server, user: str, password: str) -> Any:
    from dbt.adapters.spark.connections import build_ssl_transport
    from pyhive import hive

    transport = build_ssl_transport("localhost", server.port, user, "CUSTOM", "", password)
    return hive.connect(thrift_transport=transport).cursor()


def test_pyhive_with_the_right_password(guarded: Server) -> None:
    cursor = connect(guarded, USER, PASSWORD)
    cursor.execute("SELECT current_user(), penstock_py_doubled(4)")
    assert cursor.fetchall() == [(USER, 8.0)]


@pytest.mark.parametrize(("user", "password"), [(USER, "secret"), (USER, ""), ("bert", PASSWORD), ("", PASSWORD)])
def test_pyhive_without_it(guarded: Server, user: str, password: str) -> None:
    from thrift.transport.TTransport import TTransportException

    with pytest.raises(TTransportException, match="Error validating the login"):
        connect(guarded, user, password)


def test_no_tls_no_session(guarded: Server) -> None:
    from pyhive import hive

    with pytest.raises(Exception, match=r"TSocket read 0 bytes|Bad status|reset"):
        hive.connect("127.0.0.1", guarded.port, username=USER, password=PASSWORD, auth="CUSTOM").cursor()


@pytest.mark.parametrize(
    ("password", "expected"), [(PLAIN_PASSWORD, "| 42.0 "), ("let-me-in!", "Could not open client transport")]
)
def test_beeline(guarded: Server, password: str, expected: str) -> None:
    trust = f";ssl=true;sslTrustStore={guarded.place.folder}/trust.p12;trustStorePassword=changeit"
    url = f"jdbc:hive2://localhost:{guarded.port}/default{trust}"
    done = beeline(url, "SELECT penstock_py_doubled(21) AS d", "-n", PLAIN_USER, "-p", password)
    assert expected in done.stdout + done.stderr


def build(server: Server, **variables: str) -> subprocess.CompletedProcess[str]:
    """A build in an environment where no JVM can start, over the network as from another machine."""
    place = server.place.with_variables(
        {
            "PENSTOCK_SERVER_HOST": "localhost",
            "PENSTOCK_SERVER_PORT": str(server.port),
            "PENSTOCK_SERVER_USER": USER,
            "PENSTOCK_SERVER_PASSWORD": PASSWORD,
            "PENSTOCK_SERVER_TLS": "true",
            "PENSTOCK_SERVER_CA": str(server.place.folder / "certificate.pem"),
            "PENSTOCK_HOME": str(server.place.folder / "home of a client"),
            "JAVA_HOME": "/no/java",
            "PATH": "/usr/sbin",
            **variables,
        }
    )
    return place.dbt("build", "--target", "cluster")


def test_dbt_builds_with_password_and_tls(guarded: Server) -> None:
    done = build(guarded)
    assert done.returncode == 0, done.stdout
    cursor = connect(guarded, USER, PASSWORD)
    cursor.execute("SELECT count(*), max(z) FROM penstock.seen")
    assert cursor.fetchall() == [(9, 160.0)]
    assert not (guarded.place.folder / "home of a client").exists()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PENSTOCK_SERVER_PASSWORD": "wrong"}, "the server does not let user 'anna' in"),
        ({"PENSTOCK_SERVER_CA": ""}, "the server's certificate is not to be trusted"),
    ],
)
def test_dbt_is_told_why_it_does_not_get_in(guarded: Server, variables: dict[str, str], message: str) -> None:
    done = build(guarded, **variables)
    assert done.returncode != 0
    assert message in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic YW5uYQ==", "Basic YW5uYTp4", "Bearer x"])
def test_jobs_are_for_users(guarded: Server, folder: Path, header: str) -> None:
    context = ssl.create_default_context(cafile=str(folder / "certificate.pem"))
    request = urllib.request.Request(
        f"https://localhost:{guarded.port + 1}/functions", data=b'{"functions": []}', headers={"Authorization": header}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, context=context)


def test_jobs_come_by_ipv6(folder: Path) -> None:
    from penstock.servers.client import Client, JobFailed
    from penstock.servers.client import Server as Address
    from penstock.servers.jobs import serve_jobs
    from penstock.servers.listen import Listen

    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    listen = Listen("::1", free_port(), folder / "users.txt")
    client = Client(Address("::1", listen.port, USER, PASSWORD))
    with serve_jobs(None, listen), pytest.raises(JobFailed, match="newSession"):  # as far as Spark
        client.run_python_model("def", name="m", file="m.py", settings={})


def test_a_line_that_is_taken_out_lets_nobody_in(guarded: Server, folder: Path) -> None:
    from thrift.transport.TTransport import TTransportException

    users = folder / "users.txt"
    text = users.read_text()
    users.write_text("".join(line for line in text.splitlines(True) if not line.startswith(f"{USER}:")))
    try:
        with pytest.raises(TTransportException, match="Error validating the login"):
            connect(guarded, USER, PASSWORD)
    finally:
        users.write_text(text)
    connect(guarded, USER, PASSWORD)


OPEN = "other machines can reach this address: it needs users and TLS"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--host 0.0.0.0", OPEN),
        ("--host 0.0.0.0 --users users.txt", OPEN),
        ("--host :: --tls-certificate certificate.pem --tls-key key.pem", OPEN),
        ("--tls-key key.pem", "TLS needs a certificate and its key"),
        ("--tls-certificate certificate.pem --tls-key users.txt", "TLS cannot use this certificate and key"),
        ("--tls-certificate none.pem --tls-key key.pem", "TLS cannot use this certificate and key: No such file"),
        ("--tls-certificate certificate.pem --tls-key locked.pem", "the key asks for a passphrase"),
        ("--users nobody.txt", "the users cannot be read: No such file"),
        ("--users key.pem", "this line is no user"),
    ],
)
def test_what_cannot_be_safe_does_not_start(folder: Path, options: str, message: str) -> None:
    place = make_place(folder, again=True)
    done = place.penstock("serve", "--port", str(free_port()), *options.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {message}"), done.stderr
    assert "fix: " in done.stderr


def test_a_password_is_changed_and_an_empty_one_refused(tmp_path: Path) -> None:
    from penstock.errors import InvalidRequestError
    from penstock.servers.users import is_right, set_user

    file = tmp_path / "users.txt"
    set_user(file, "anna", "one")
    set_user(file, "bert", "two")
    set_user(file, "anna", "three")
    assert [is_right(file, *each) for each in (("anna", "three"), ("bert", "two"))] == [True, True]
    wrong = (("anna", "one"), ("anna", ""), ("anna", "two"), ("cleo", "two"), ("", ""))
    assert not any(is_right(file, *each) for each in wrong)
    assert file.stat().st_mode & 0o777 == 0o600
    for name, password in (("anna", ""), ("a:b", "x"), ("a b", "x"), ("", "x")):
        with pytest.raises(InvalidRequestError):
            set_user(file, name, password)
    assert "three" not in file.read_text()


def test_a_verifier_is_postgresqls() -> None:
    """The worked example of RFC 7677 gives the keys by which client and server there prove themselves."""
    import base64
    import hashlib
    import hmac

    from penstock.servers.users import _verifier

    verifier = _verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    stored, server = (base64.b64decode(part) for part in verifier.split("$")[2].split(":"))
    message = (
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    )
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature = hmac.digest(stored, message, "sha256")
    client = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert base64.b64encode(hmac.digest(server, message, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
