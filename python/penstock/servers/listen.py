"""Where a server listens, who may come in, and what the wire shows; checked before anything starts."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import EnvironmentProblem, InvalidRequestError
from penstock.servers.users import load_users


@dataclass(frozen=True)
class Listen:
    """Where and to whom a server answers.

    Attributes:
        host: The address to listen on.
        port: The port of the Thrift server; with users, the next one takes Python from builds.
        users: The file of those who may log in (see `penstock.servers.users`); None asks nobody.
        certificate: A PEM file with the server's certificate and its chain; None leaves the wire open to read.
        key: A PEM file with the certificate's private key, without a passphrase.
    """

    host: str = "127.0.0.1"
    port: int = 10000
    users: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def check(self) -> None:
        """Refuse what cannot work or would let anybody in.

        Raises:
            InvalidRequestError: when an address that others can reach has no users or no TLS, or TLS is half given.
            EnvironmentProblem: when the address cannot be listened on, or a file is missing or wrong.
        """
        if bool(self.certificate) != bool(self.key):
            raise InvalidRequestError("TLS needs a certificate and its key", fix="--tls-certificate and --tls-key")
        if not self._is_loopback():
            self._check_open()
        if self.users:
            load_users(self.users)
        if self.certificate:
            self.tls()
        for port in (self.port, self.port + 1) if self.users else (self.port,):
            self._check_free(port)

    def _check_open(self) -> None:
        lacks = [
            option
            for option, given in (("--users", self.users), ("--tls-certificate and --tls-key", self.certificate))
            if not given
        ]
        if lacks:
            raise InvalidRequestError(
                "other machines can reach this address: it needs users and TLS",
                where=f"--host {self.host}",
                fix=f"{' and '.join(lacks)}; or listen on 127.0.0.1 and come through an SSH tunnel",
            )

    def tls(self) -> ssl.SSLContext:
        """Python's side of TLS.

        Raises:
            EnvironmentProblem: when the certificate or its key cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(str(self.certificate), str(self.key), password=_no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise EnvironmentProblem(
                f"TLS cannot use this certificate and key: {error.strerror or error}",
                where=f"{self.certificate}, {self.key}",
                fix="two PEM files that belong together, the key without a passphrase",
            ) from None
        return context

    @contextmanager
    def thrift_settings(self, folder: Path) -> Iterator[Mapping[str, str]]:
        """Spark's settings for the Thrift server; within, a key store for the JVM lies in `folder`."""
        hive = {
            "transport.mode": "binary",
            "thrift.bind.host": self.host,
            "thrift.port": str(self.port),
        }
        if self.users:
            hive |= {"authentication": "CUSTOM"}
        store = folder / f"{self.port}.p12"
        if self.certificate:
            word = secrets.token_urlsafe(24)
            _write_key_store(store, self.certificate, self.key, word)
            hive |= {"use.SSL": "true", "keystore.path": str(store), "keystore.password": word}
        try:
            yield {f"spark.hadoop.hive.server2.{name}": value for name, value in hive.items()}
        finally:
            store.unlink(missing_ok=True)

    def _is_loopback(self) -> bool:
        try:
            return all(ipaddress.ip_address(str(a[4][0])).is_loopback for a in socket.getaddrinfo(self.host, self.port))
        except (OSError, OverflowError):
            return True  # `_check_free` says what is wrong with it

    def _check_free(self, port: int) -> None:
        where = f"{self.host}:{port}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, port, type=socket.SOCK_STREAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                # As the JVM does: a port that only waits for old connections to end is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            raise self.cannot_listen(port, error.strerror or str(error)) from None
        except OverflowError:
            raise EnvironmentProblem("there is no such port", where=where, fix="choose one from 1 to 65534") from None

    def cannot_listen(self, port: int, reason: str) -> EnvironmentProblem:
        """The error of an address that is taken, or is none of this machine's."""
        return EnvironmentProblem(
            f"the server cannot listen there: {reason.lower()}",
            where=f"{self.host}:{port}",
            fix=f"stop what uses that port, or choose another: penstock serve --port {min(self.port + 2, 65534)}",
        )


def _no_passphrase() -> str:
    # Without this the terminal would be asked.
    raise EnvironmentProblem(
        "the key asks for a passphrase", where="--tls-key", fix="a key without one, readable by its owner only"
    )


def _write_key_store(file: Path, certificate: Path | None, key: Path | None, word: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        load_pem_private_key,
        pkcs12,
    )

    assert certificate and key
    chain = x509.load_pem_x509_certificates(certificate.read_bytes())
    loaded = load_pem_private_key(key.read_bytes(), None)
    content = pkcs12.serialize_key_and_certificates(
        b"penstock",
        loaded,  # type: ignore[arg-type]  # it says which kinds of key it takes
        chain[0],
        chain[1:],
        BestAvailableEncryption(word.encode()),
    )
    file.unlink(missing_ok=True)  # of a server that was killed
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(content)
