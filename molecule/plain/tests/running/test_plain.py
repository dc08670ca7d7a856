"""host1 has no systemd: init scripts start the services, and everything runs on one host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_there_is_no_systemd(host: Host) -> None:
    assert host.check_output("ps -o comm= -p 1") != "systemd"
    assert not host.file("/run/systemd/system").exists


def test_services_run(host: Host) -> None:
    assert host.run("service redis-server status").rc == 0
    assert host.run("service supervisor status").rc == 0
    assert host.check_output("redis-cli ping") == "PONG"


def test_services_start_at_boot(host: Host) -> None:
    for service in ("redis-server", "supervisor"):
        assert host.run(f"ls /etc/rc2.d/S*{service}").rc == 0


def test_redis_is_on_loopback_only(host: Host) -> None:
    assert host.socket("tcp://127.0.0.1:6379").is_listening
    assert not host.socket("tcp://0.0.0.0:6379").is_listening


def test_workers_are_registered(host: Host, app: App) -> None:
    rows = app.workers()
    assert len(rows) == PROCESSES
    assert {row["release"] for row in rows} == {app.release}
    assert {row["host"] for row in rows} == {"host1"}
