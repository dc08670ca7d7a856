"""After deploys in a row under load, one of them bad and one with a host cut off: what became of the messages."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import testinfra
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://worker1"]

HOSTS = ("worker1", "worker2", "worker3", "worker4")
PROCESSES = 2
BATCH = 2  # the last one
CUT_OFF = "worker3"


@pytest.fixture
def fleet() -> dict[str, Host]:
    """Every worker host, by name."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    return {name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, sudo=True) for name in HOSTS}


@pytest.fixture
def seen(host: Host) -> dict[str, Any]:
    """What files/steady.py printed."""
    found: dict[str, Any] = json.loads(host.file("/root/sent.json").content_string)
    return found


@pytest.fixture
def handled(app: App, fleet: dict[str, Host]) -> dict[str, list[str]]:
    """On which hosts each message was handled."""
    found: dict[str, list[str]] = {}
    for name, host in fleet.items():
        for line in type(app)(host).handled():
            found.setdefault(line.split()[0], []).append(name)
    return found


def test_every_message_was_handled(seen: dict[str, Any], handled: dict[str, list[str]]) -> None:
    assert seen["sent"] > 1000
    assert [number for number in range(seen["sent"]) if f"load-{number}" not in handled] == []
    assert len(handled) == seen["sent"]


def test_only_what_the_host_that_was_cut_off_had_in_hand_was_handled_twice(
    handled: dict[str, list[str]], fleet: dict[str, Host]
) -> None:
    again = {content: hosts for content, hosts in handled.items() if len(hosts) > 1}
    assert all(CUT_OFF in hosts and len(hosts) == 2 for hosts in again.values()), again
    assert len(again) <= PROCESSES
    logs = [host.check_output("cat /srv/sms/shared/log/messenger-consume_*.log*") for host in fleet.values()]
    assert sum(log.count("message_taken_over") for log in logs) >= len(again)


def test_never_fewer_hosts_at_work_than_those_outside_the_batch(seen: dict[str, Any]) -> None:
    assert seen["looks"] > 20
    assert seen["fewest_hosts"] >= len(HOSTS) - BATCH


def test_nothing_is_left_and_nothing_failed(app: App) -> None:
    stats = app.messenger("stats")
    assert stats["failed"] == {"failed": 0}
    assert stats["unreachable"] == {}


def test_every_host_is_on_the_last_release(app: App, fleet: dict[str, Host]) -> None:
    rows = app.workers()
    assert Counter(row["host"] for row in rows) == dict.fromkeys(HOSTS, PROCESSES)
    assert {row["release"] for row in rows} == {app.release}
    for host in fleet.values():
        assert type(app)(host).release == app.release


def test_supervisor_killed_nobody(fleet: dict[str, Host]) -> None:
    for name, host in fleet.items():
        assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string, name
