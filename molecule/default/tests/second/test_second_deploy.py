"""After a deploy while 200 messages were in flight: each was handled once, and all workers are on the new release."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://worker1"]

IN_FLIGHT = 200
PROCESSES = 3


@pytest.fixture
def fleet(host: Host) -> dict[str, Host]:
    """Both workers' hosts, by name."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return {
        name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, sudo=True)
        for name in ("worker1", "worker2")
    }


@pytest.fixture
def lines(app: App, fleet: dict[str, Host]) -> list[list[str]]:
    """What the handlers wrote on both hosts: content, process, release."""
    return [line.split() for other in fleet.values() for line in type(app)(other).handled()]


def test_each_message_was_handled_exactly_once(host: Host, lines: list[list[str]]) -> None:
    sent = int(host.file("/root/sent.txt").content_string)
    assert sent > IN_FLIGHT
    handled = Counter(content for content, _, _ in lines)
    lost = [f"load-{number}" for number in range(sent) if f"load-{number}" not in handled]
    twice = [content for content, times in handled.items() if times > 1]
    assert (lost, twice, len(handled)) == ([], [], sent)


def test_messages_were_in_flight_during_the_switch(
    app: App, before: list[dict[str, Any]], lines: list[list[str]]
) -> None:
    by_release = Counter(release for _, _, release in lines)
    assert by_release.keys() == {app.release, before[0]["release"]}
    assert min(by_release.values()) > IN_FLIGHT / 2


def test_nothing_failed(app: App) -> None:
    stats = app.messenger("stats")
    assert stats["failed"] == {"failed": 0}
    assert stats["unreachable"] == {}


def test_every_worker_is_on_the_new_release(app: App, before: list[dict[str, Any]]) -> None:
    rows = app.workers()
    assert Counter(row["host"] for row in rows) == {"worker1": PROCESSES, "worker2": PROCESSES}
    assert {row["release"] for row in rows} == {app.release}
    assert app.release not in {row["release"] for row in before}


def test_old_processes_are_gone(fleet: dict[str, Host], before: list[dict[str, Any]]) -> None:
    assert Counter(row["host"] for row in before) == {"worker1": PROCESSES, "worker2": PROCESSES}
    for row in before:
        old = fleet[row["host"]].run(f"ps -o args= -p {row['pid']}").stdout
        assert "messenger" not in old


def test_audit_trail_of_every_host(app: App, fleet: dict[str, Host]) -> None:
    for other in fleet.values():
        lines = type(app)(other).audit()
        assert [line["what"] for line in lines] == ["deploy", "deploy"]
        assert (lines[1]["release"], lines[1]["from"]) == (app.release, lines[0]["release"])


def test_supervisor_killed_nobody(fleet: dict[str, Host]) -> None:
    for name, host in fleet.items():
        log = host.file("/var/log/supervisor/supervisord.log").content_string
        assert "entered RUNNING state" in log, name
        assert "SIGKILL" not in log, name
