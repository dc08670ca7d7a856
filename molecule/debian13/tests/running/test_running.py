"""Debian 13: the plain flow, on its Python, Redis and Supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_it_is_debian_13(host: Host) -> None:
    assert host.system_info.codename == "trixie"


def test_services_run(host: Host) -> None:
    for service in ("redis-server", "supervisor"):
        assert host.service(service).is_running, service
        assert host.service(service).is_enabled, service


def test_no_failed_unit(host: Host) -> None:
    assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_workers_handle_messages(app: App) -> None:
    rows = app.workers()
    assert len(rows) == PROCESSES
    assert {row["release"] for row in rows} == {app.release}
    assert app.send_and_wait("trixie")["status"] == "handled"
    assert [line.split()[0] for line in app.handled()] == ["trixie"]
