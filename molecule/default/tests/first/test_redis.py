"""redis1: ours is an included file, the package's stays the base, and nobody gets in without the password."""

from __future__ import annotations

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://redis"]

SETTINGS = "/etc/redis/messenger-kit.conf"
PASSWORD = "/etc/redis/messenger-kit-auth.conf"


def test_service_runs_and_starts_at_boot(host: Host) -> None:
    service = host.service("redis-server")
    assert service.is_running
    assert service.is_enabled


@pytest.mark.parametrize("address", ["127.0.0.1", "redis1"])
def test_refuses_without_a_password(host: Host, address: str) -> None:
    assert "NOAUTH" in host.check_output(f"redis-cli -h {address} ping")


@pytest.mark.parametrize("path", [SETTINGS, PASSWORD])
def test_files(host: Host, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "redis", "0o640")


def test_package_file_is_the_base(host: Host) -> None:
    lines = host.file("/etc/redis/redis.conf").content_string.splitlines()
    assert lines[-1] == f"include {SETTINGS}"
    assert "bind 127.0.0.1 -::1" in lines, "the package's own lines are as they were"


@pytest.mark.parametrize(("setting", "value"), [("appendonly", "yes"), ("maxmemory-policy", "noeviction")])
def test_settings_are_in_force(host: Host, setting: str, value: str) -> None:
    login = f"REDISCLI_AUTH=$(sed -n 's/^requirepass //p' {PASSWORD})"
    assert host.check_output(f"{login} redis-cli --raw config get {setting}").split() == [setting, value]


def test_no_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""
