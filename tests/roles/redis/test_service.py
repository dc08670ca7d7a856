"""The module redis_service on real servers: what it starts, restarts and stops, and what it makes of an init script
that says it did something and did nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.roles.kit_redis import ADMINISTRATOR, KitRedis, role_module


class Host:
    """A Redis with the role's files, and a `service` command. honest: whether that does what it is told."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis = KitRedis()
        self.directory = directory
        self.module = role_module("redis_service")
        self.main = self.redis.directory / "redis.conf"
        pid_file = self.redis.directory / "redis.pid"
        self.main.write_text(f"pidfile {pid_file}\ndaemonize yes\ninclude {self.redis.config}\n")
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        self.script(stops=True)

    def script(self, *, stops: bool) -> None:
        """The `service` command; one that does not stop is that of a container without SYS_PTRACE."""
        stop = f"kill $(cat {self.redis.directory}/redis.pid)" if stops else f": > {self.redis.directory}/redis.pid"
        command = self.directory / "service"
        start = f"{self.redis.command()[0]} {self.main} > /dev/null"
        command.write_text(f"#!/bin/sh\ncase $2 in start) {start} ;; stop) {stop} ;; esac\nexit 0\n")
        command.chmod(0o755)

    def bring(self, state: str, *, newer: list[str] | None = None, change: bool = True) -> tuple[bool, list[str]]:
        """What the module does."""
        result: tuple[bool, list[str]] = self.module.bring(
            self.service(), state, str(self.redis.config), newer or [], change=change
        )
        return result

    def service(self) -> Any:
        return self.module.Service("redis-server", self.main, 20)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path, monkeypatch)
    yield made
    made.script(stops=False)
    made.bring("stopped")
    made.redis.destroy()


def test_it_is_started_once(host: Host) -> None:
    assert host.bring("started", change=False) == (True, [])
    assert host.service().running() is None
    assert host.bring("started") == (True, [])
    assert host.bring("started") == (False, [])


@pytest.mark.parametrize("honest", [True, False])
def test_another_setting_takes_another_process(host: Host, honest: bool) -> None:
    host.bring("started")
    host.script(stops=honest)
    before = host.service().running()
    host.redis.configure(redis_maxmemory="64mb")
    assert host.bring("started", change=False) == (True, ["maxmemory is another"])
    assert host.bring("started") == (True, ["maxmemory is another"])
    assert host.service().running() != before
    assert host.bring("started") == (False, [])


@pytest.mark.parametrize("setting", [{"redis_password": "another-password!"}, {"redis_appendfsync": "always"}])
def test_every_setting_is_asked_for(host: Host, setting: dict[str, str]) -> None:
    host.bring("started")
    host.redis.configure(**setting)
    changed, reasons = host.bring("started")
    assert changed
    assert len(reasons) == 1
    assert "another-password!" not in reasons[0]
    assert ADMINISTRATOR not in reasons[0]


def test_a_setting_that_was_taken_out_is_no_longer_in_force(host: Host) -> None:
    host.redis.configure(redis_maxmemory="64mb")
    host.bring("started")
    host.redis.configure(redis_maxmemory="")
    assert host.bring("started") == (True, ["maxmemory is another"])


def test_a_file_that_is_newer_than_the_server_takes_a_restart(host: Host) -> None:
    host.bring("started")
    file = host.directory / "trusted.pem"
    file.write_text("")
    os.utime(file, (2**31, 2**31))
    assert host.bring("started", newer=[str(file)], change=False) == (True, [f"{file} is newer"])


def test_what_overrides_the_settings_is_named(host: Host) -> None:
    host.bring("started")
    with host.main.open("a") as main:
        main.write("maxmemory-policy allkeys-lru\n")
    host.redis.configure(redis_maxmemory="64mb")
    with pytest.raises(host.module.Failed, match=r"maxmemory-policy is another\. Something after the line `include"):
        host.bring("started")


def test_a_stop_ends_the_process_whatever_the_script_says(host: Host) -> None:
    host.bring("started")
    host.script(stops=False)
    assert host.bring("stopped", change=False) == (True, [])
    assert host.bring("stopped") == (True, [])
    assert host.service().running() is None
    assert not host.module.answers(host.redis.port)
    assert host.bring("stopped") == (False, [])


def test_a_stop_fails_while_something_answers_at_the_port(host: Host) -> None:
    host.bring("started")
    with socket.create_server(("127.0.0.1", 0)) as listener, host.main.open("a") as main:
        main.write(f"tls-port {listener.getsockname()[1]}\n")
        main.flush()
        service = host.service()
        service.seconds = 1
        with pytest.raises(host.module.Failed, match="something still answers at port"):
            service.stop()


def test_another_server_is_left_alone(host: Host) -> None:
    other = KitRedis()
    try:
        other.start()
        host.bring("started")
        host.script(stops=False)
        host.bring("stopped")
        assert other.client().ping()
        assert host.service().running() is None
    finally:
        other.destroy()
