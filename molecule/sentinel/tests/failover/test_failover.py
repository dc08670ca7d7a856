"""After the master died during a deploy under load: what was accepted was handled, on the new release of both hosts."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import testinfra
from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host2"]

PROCESSES = 2
ASK = "redis-cli -p 26379 --raw sentinel get-master-addr-by-name messenger"


@pytest.fixture
def fleet() -> dict[str, Host]:
    """All hosts, by name."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    names = ("host1", "host2", "host3")
    return {name: testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory, sudo=True) for name in names}


@pytest.fixture
def outcome(host: Host) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(host.file("/root/sent.json").content_string)
    return found


def test_every_message_that_was_accepted_was_handled(
    app: App, fleet: dict[str, Host], outcome: dict[str, list[str]]
) -> None:
    handled = Counter(line.split()[0] for name in ("host2", "host3") for line in type(app)(fleet[name]).handled())
    print({name: len(found) for name, found in outcome.items()}, "twice:", sum(n > 1 for n in handled.values()))
    assert len(outcome["sent"]) > 100
    assert [content for content in outcome["sent"] if content not in handled] == []


def test_the_master_was_missed(outcome: dict[str, list[str]]) -> None:
    assert outcome["refused"] + outcome["unsure"]


def test_nothing_failed(app: App) -> None:
    stats = app.messenger("stats")
    assert stats["failed"] == {"failed": 0}
    assert stats["unreachable"] == {}


def test_every_worker_is_on_the_new_release(app: App, fleet: dict[str, Host]) -> None:
    rows = app.workers()
    assert Counter(row["host"] for row in rows) == {"host2": PROCESSES, "host3": PROCESSES}
    assert {row["release"] for row in rows} == {app.release}
    last = [line for line in app.audit() if line["what"] == "deploy"][-1]
    assert (last["outcome"], last["release"]) == ("ok", app.release)


def test_another_is_master_and_all_know_it(fleet: dict[str, Host]) -> None:
    answers = {host.check_output(ASK) for host in fleet.values()}
    assert len(answers) == 1
    assert answers.pop().split()[0] in ("host2", "host3")


def test_the_old_master_becomes_a_replica(fleet: dict[str, Host], wait_until: Callable[..., None]) -> None:
    cli = "redis-cli --tls --cacert /etc/redis/messenger-kit-tls/authority.pem"
    login = "REDISCLI_AUTH=$(sed -n 's/^requirepass //p' /etc/redis/messenger-kit-auth.conf)"

    def it_is() -> bool:
        lines = fleet["host1"].run(f"{login} {cli} --raw info replication").stdout.splitlines()
        return "role:slave" in lines and "master_link_status:up" in lines

    wait_until(it_is, "Sentinel makes it a replica")


@pytest.mark.parametrize(
    "command", ["sentinel failover messenger", "sentinel set messenger quorum 1", "sentinel config get *"]
)
def test_sentinel_without_a_password_says_who_is_master_and_nothing_else(host: Host, command: str) -> None:
    assert "NOPERM" in host.run(f"redis-cli -p 26379 {command}").stdout


@pytest.mark.parametrize("user", ["kit-replication", "kit-sentinel"])
@pytest.mark.parametrize("command", ["get x", "xlen messages", "config get requirepass", "flushall"])
def test_users_of_the_servers_may_not_touch_data(host: Host, user: str, command: str) -> None:
    cli = "redis-cli --tls --cacert /etc/redis/messenger-kit-tls/authority.pem"
    login = "REDISCLI_AUTH=$(sed -n 's/^masterauth //p' /etc/redis/messenger-kit-auth.conf)"
    assert "NOPERM" in host.run(f"{login} {cli} --user {user} {command}").stdout


def test_passwords_are_not_in_the_output(host: Host, run_output: str) -> None:
    secret = host.check_output("sed -n 's/^masterauth //p' /etc/redis/messenger-kit-auth.conf")
    assert len(secret) == 48
    assert secret not in run_output
