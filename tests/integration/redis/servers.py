"""Redis servers that listen in other ways: a socket, TLS, a password, behind a sentinel."""

from __future__ import annotations

import ipaddress
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import RedisServer, free_port

PASSWORD = "p@ss/w:rd#?%s3cr3t"
ENCODED = "p%40ss%2Fw%3Ard%23%3F%25s3cr3t"


class LockedRedis(RedisServer):
    """A redis-server with a password, users, a socket and a TLS port."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = self.directory / "redis.sock"
        self.tls_port = free_port()
        self.ca = Authority(self.directory, "ca")
        self.ca.issue("server", ipaddress.ip_address("127.0.0.1"))
        self.ca.issue("client", None)
        users = self.directory / "users.acl"
        rights = "~orders* &* +@all -@dangerous"
        users.write_text(f"user default on >{PASSWORD} ~* &* +@all\nuser ann on >{PASSWORD} {rights} +info\n")

    def command(self) -> Sequence[str]:
        options = {
            "aclfile": self.directory / "users.acl",
            "unixsocket": self.socket,
            "tls-port": self.tls_port,
            "tls-cert-file": self.directory / "server.pem",
            "tls-key-file": self.directory / "server.key",
            "tls-ca-cert-file": self.directory / "ca.pem",
            "tls-auth-clients": "optional",
        }
        return [*super().command(), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def client(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port, password=PASSWORD)

    def filled(self, text: str) -> str:
        """The text with TPORT, PORT, SOCKET and CA replaced by this server's."""
        for name, value in {
            "TPORT": self.tls_port,
            "PORT": self.port,
            "SOCKET": self.socket,
            "CA": self.ca.file,
        }.items():
            text = text.replace(name, str(value))
        return text


class Replica(RedisServer):
    """A copy of another server."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def command(self) -> Sequence[str]:
        return [
            *super().command(),
            "--replicaof",
            "127.0.0.1",
            str(self._master.port),
            "--repl-diskless-sync-delay",
            "0",
        ]

    def stop(self, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """See Server. Right after its first copy it refuses SIGINT; it has nothing of its own to keep."""
        super().stop(with_signal)


class Sentinel(RedisServer):
    """A sentinel that watches one master under the name `main`."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__()
        self._master = master

    def command(self) -> Sequence[str]:
        file = self.directory / "sentinel.conf"
        if not file.exists():
            file.write_text(
                f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n"
                f"sentinel monitor main 127.0.0.1 {self._master.port} 1\n"
                "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 5000\n"
            )
        return [self._binary, str(file), "--sentinel"]


class Authority:
    """A certificate authority of this test alone; its files lie in `directory`."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self._write(name, self._builder(self._name, self._key).add_extension(usage, critical=True), self._key)
        self.file = directory / f"{name}.pem"

    def issue(self, name: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None) -> None:
        """A certificate and key, as <name>.pem and <name>.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(address)])
            builder = builder.add_extension(names, critical=False)
        self._write(name, builder, key)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def _write(self, name: str, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        (self._directory / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (self._directory / f"{name}.key").write_bytes(plain)
