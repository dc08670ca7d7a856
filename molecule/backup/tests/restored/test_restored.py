"""After restore.yml: messages that waited are handled once; delayed and failed ones are back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

WAITING, DELAYED = 50, 5


def test_waiting_messages_are_handled_once(app: App, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: len(app.handled()) >= WAITING, "the messages that waited are handled")
    handled = Counter(line.split()[0] for line in app.handled())
    assert handled == {f"waiting-{number}": 1 for number in range(WAITING)}


def test_delayed_messages_are_back(app: App) -> None:
    depth = app.messenger("stats")["transports"]["async"]
    assert (depth["ready"], depth["in_flight"], depth["delayed"]) == (0, 0, DELAYED)


def test_the_failed_message_is_back(host: Host, app: App) -> None:
    before = json.loads(host.file("/root/failed.json").content_string)["messages"]
    assert app.messenger("failed", "show")["messages"] == before
    assert len(before) == 1


def test_only_what_restore_stopped_was_started_again(host: Host) -> None:
    lines = host.run("supervisorctl -c /etc/supervisor/supervisord.conf status").stdout.splitlines()
    assert {line.split()[0].rpartition("_")[2]: line.split()[1] for line in lines} == {"00": "RUNNING", "01": "STOPPED"}
    assert not host.file("/srv/sms/shared/config/.halted").exists


def test_redis_writes_to_its_append_only_file(host: Host) -> None:
    answer = host.check_output("redis-cli --raw info persistence").splitlines()
    assert {"aof_enabled:1", "aof_last_write_status:ok", "rdb_last_bgsave_status:ok"} <= set(answer)
    assert host.check_output("redis-cli --raw bgrewriteaof")


def test_what_was_there_before_is_kept(host: Host) -> None:
    (aside,) = host.check_output("ls -d /var/lib/redis/before-*").split()
    assert host.file(f"{aside}/appendonlydir").is_directory
    assert host.check_output("ls -d /srv/sms/shared/var/before-*").split()


def test_no_copy_is_left_behind(host: Host) -> None:
    assert host.run("ls -d /var/tmp/ansible* /var/lib/redis/restore-* /var/lib/redis/appendonlydir.next").stdout == ""


def test_the_lock_was_given_back(host: Host, app: App) -> None:
    assert not host.file("/var/lib/messenger-kit/sms.lock").exists
    assert [(line["what"], line["outcome"]) for line in app.audit()] == [
        ("deploy", "ok"),
        ("restore", "failed"),
        ("restore", "ok"),
    ]


def test_new_messages_are_handled(app: App) -> None:
    assert app.send_and_wait("afterwards")["status"] == "handled"
