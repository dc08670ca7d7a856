"""redis1: our settings are an included file; TLS only, and nobody gets in without a password."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://redis"]

SETTINGS = "/etc/redis/messenger-kit.conf"
PASSWORD = "/etc/redis/messenger-kit-auth.conf"
USERS = "/etc/redis/messenger-kit-users.acl"
TLS = "/etc/redis/messenger-kit-tls"
CLI = f"redis-cli --tls --cacert {TLS}/authority.pem"
LOGIN = f"REDISCLI_AUTH=$(sed -n 's/^requirepass //p' {PASSWORD})"


def test_service_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("redis-server")
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize("address", ["127.0.0.1", "redis1"])
def test_refuses_without_a_password(host: Host, address: str) -> None:
    assert "NOAUTH" in host.check_output(f"{CLI} -h {address} ping")


def test_refuses_without_tls(host: Host) -> None:
    assert "PONG" not in host.run(f"{LOGIN} redis-cli ping").stdout


def test_certificate_is_for_the_name_that_workers_use(host: Host) -> None:
    verify = f"-CAfile {TLS}/authority.pem -verify_hostname redis1 -verify_return_error"
    host.run_expect([0], f"openssl s_client -connect redis1:6379 {verify} < /dev/null")


@pytest.mark.parametrize("path", [SETTINGS, PASSWORD, USERS, f"{TLS}/server.pem"])
def test_files(host: Host, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "redis", "0o640")


def test_the_authority_s_key_is_for_root_alone(host: Host) -> None:
    file = host.file(f"{TLS}/authority.key")
    assert (file.user, oct(file.mode)) == ("root", "0o600")


def test_package_file_is_the_base(host: Host) -> None:
    lines = host.file("/etc/redis/redis.conf").content_string.splitlines()
    assert lines[-1] == f"include {SETTINGS}"
    assert "bind 127.0.0.1 -::1" in lines, "the package's own lines are as they were"


@pytest.mark.parametrize(("setting", "value"), [("appendonly", "yes"), ("maxmemory-policy", "noeviction")])
def test_settings_are_in_force(host: Host, setting: str, value: str) -> None:
    assert host.check_output(f"{LOGIN} {CLI} --raw config get {setting}").split() == [setting, value]


def test_users(host: Host) -> None:
    assert host.check_output(f"{LOGIN} {CLI} --raw acl users").split() == ["default", "sms", "watch"]
    clients = host.check_output(f"{LOGIN} {CLI} --raw client list").splitlines()
    users = {word for line in clients for word in line.split() if word.startswith("user=")}
    assert users == {"user=sms", "user=default"}, "default is this command's"
    assert "flushall" not in host.file(USERS).content_string


def test_no_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
