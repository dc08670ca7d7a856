"""TLS of the role redis: certificates it makes, on a real redis-server that serves them."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from messenger.errors import TransportUnavailable
from messenger.redis.connection import RedisConnection
from messenger.redis.dsn import parse_redis_dsn
from tests.roles.kit_redis import ADMINISTRATOR, KitRedis, role_module
from tests.roles.render import render
from tests.support.modules import ROLES
from tests.support.servers import free_port

NAMES = ["localhost", "127.0.0.1", "::1", "redis1"]
making = role_module("redis_certificate")


class Secure(KitRedis):
    """Answers by TLS only."""

    def __init__(self, **variables: Any) -> None:
        super().__init__(redis_port=0, redis_tls_port=free_port(), **variables)
        self.port = self.variables["redis_tls_port"]

    @property
    def authority(self) -> Path:
        return self.directory / "authority.pem"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=ADMINISTRATOR, ssl=True, ssl_ca_certs=str(self.authority))

    def serial(self) -> str:
        """Of the certificate that it serves."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.port))
        return openssl("x509", "-noout", "-serial", text=pem)


def openssl(*arguments: str, text: str = "") -> str:
    return subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, check=True).stdout


def make(directory: Path, names: list[str] = NAMES, days: int = 365, renew_days: int = 30) -> list[str]:
    """What the module redis_certificate does; why it made something."""
    certificates = making.Certificates(directory, names)
    reasons: list[str] = certificates.bring_in_line(days, renew_days, group="root", change=True)
    return reasons


def test_its_settings_are_asked_back_over_tls(server: Secure) -> None:
    """Those of TLS and of replicas and users too: none is taken for another, so nothing is restarted."""
    service = role_module("redis_service")
    users = [{"name": "sms", "rights": "application", "password": "correct-horse-of-sms"}]
    assert service.overridden(server.local(), server.config, server.config) == []
    server.stop()
    (server.directory / "trusted.pem").write_text(server.authority.read_text())
    server.configure(
        redis_users=users,
        redis_maxmemory="2gb",
        redis_appendfsync="always",
        redis_replica_of="r1",
        redis_replication_password="correct-horse-battery",
    )
    server.start()
    assert service.overridden(server.local(), server.config, server.config) == []
    server.configure(redis_maxmemory="1gb")
    assert service.overridden(server.local(), server.config, server.config) == ["maxmemory"]


@pytest.fixture
def server() -> Iterator[Secure]:
    made = Secure()
    make(made.directory)
    made.start()
    yield made
    made.destroy()


def call(dsn: str) -> Any:
    connection = RedisConnection(parse_redis_dsn("async", dsn))
    try:
        return connection.call("XLEN", "messages")
    finally:
        connection.close()


def test_workers_get_in_by_tls_only_and_only_with_the_authority(server: Secure) -> None:
    place = f"{ADMINISTRATOR}@localhost:{server.port}/messages"
    assert call(f"rediss://{place}?ssl[cafile]={server.authority}") == 0
    for dsn in (f"redis://{place}", f"rediss://{place}"):
        with pytest.raises(TransportUnavailable):
            call(dsn)


def test_a_certificate_for_another_name_is_refused(server: Secure) -> None:
    place = f"{ADMINISTRATOR}@localhost:{server.port}/messages"
    assert make(server.directory, ["redis2"]) == ["the certificate is for other names"]
    serving = role_module("redis_tls")
    assert serving.bring_in_line(server.config, change=True)
    with pytest.raises(TransportUnavailable, match="certificate"):
        call(f"rediss://{place}?ssl[cafile]={server.authority}")


def test_a_renewed_certificate_is_served_without_a_restart_and_the_old_authority_is_trusted(server: Secure) -> None:
    serving = role_module("redis_tls")
    with server.client() as before:
        number, serial, authority = before.client_id(), server.serial(), server.authority.read_text()
        assert make(server.directory) == []
        assert not serving.bring_in_line(server.config, change=True)
        assert make(server.directory, days=400, renew_days=380) == ["the certificate expires soon"]
        assert serving.bring_in_line(server.config, change=False)
        assert server.serial() == serial
        assert serving.bring_in_line(server.config, change=True)
        assert not serving.bring_in_line(server.config, change=True)
        assert server.serial() != serial
        assert server.authority.read_text() == authority
        assert before.client_id() == number


def test_the_role_s_modules_reach_it(server: Secure) -> None:
    assert server.local().call(["PING"]) == ["PONG"]


def test_an_authority_that_expires_soon_keeps_its_key(tmp_path: Path) -> None:
    make(tmp_path)
    old = tmp_path / "old.pem"
    old.write_text((tmp_path / "authority.pem").read_text())
    key = (tmp_path / "authority.key").read_text()
    reasons = make(tmp_path, days=5000, renew_days=4000)
    assert reasons == ["the authority's certificate expires soon", "the certificate expires soon"]
    assert (tmp_path / "authority.key").read_text() == key
    assert (tmp_path / "authority.pem").read_text() != old.read_text()
    for authority in (old, tmp_path / "authority.pem"):
        openssl("verify", "-CAfile", str(authority), str(tmp_path / "server.pem"))


def test_a_run_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "authority.pem").unlink()
    assert make(tmp_path) == ["there is no authority yet"]  # the key is the old one, so the certificate is good
    (tmp_path / "authority.key").unlink()
    assert make(tmp_path)[0] == "there is no authority yet"
    assert make(tmp_path) == []
    openssl("verify", "-CAfile", str(tmp_path / "authority.pem"), str(tmp_path / "server.pem"))
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_rights_of_the_files(tmp_path: Path) -> None:
    make(tmp_path)
    rights = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert rights == {"authority.key": "0o600", "authority.pem": "0o644", "server.pem": "0o640"}


def test_looking_changes_nothing(tmp_path: Path) -> None:
    certificates = making.Certificates(tmp_path, NAMES)
    assert certificates.bring_in_line(365, 30, group="root", change=False)
    assert list(tmp_path.iterdir()) == []


def test_the_plain_port_stays_unless_it_is_turned_off() -> None:
    text = render(ROLES / "redis/templates/messenger-kit.conf.j2", "redis", redis_tls_port=6380)
    assert {"port 6379", "tls-port 6380", "tls-auth-clients no"} <= set(text.splitlines())
    plain = render(ROLES / "redis/templates/messenger-kit.conf.j2", "redis")
    assert "tls" not in plain


def test_a_given_certificate_needs_no_authority_of_the_role_s() -> None:
    given = {"redis_tls_port": 6380, "redis_tls_certificate": "-----BEGIN …", "redis_tls_key": "-----BEGIN …"}
    template = ROLES / "redis/templates/messenger-kit.conf.j2"
    assert "tls-ca-cert-file" not in render(template, "redis", **given)
    assert "tls-ca-cert-file" in render(template, "redis", redis_tls_ca="-----BEGIN …", **given)
