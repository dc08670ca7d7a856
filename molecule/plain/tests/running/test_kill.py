"""A worker killed with -9 while it handles a message: the message is handled by another, and Supervisor starts anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_kill_loses_nothing(host: Host, app: App, wait_until: Callable[..., None]) -> None:
    sent = app.messenger("dispatch", "App\\Message\\SmsNotification", '{"content": "killed"}')
    assert sent["status"] == "sent"

    busy: list[int] = []

    def somebody_handles_it() -> bool:
        busy[:] = [row["pid"] for row in app.workers() if row["message"] and row["message"]["id"] == sent["id"]]
        return bool(busy)

    wait_until(somebody_handles_it, "a worker handles the message")
    host.check_output(f"kill -9 {busy[0]}")
    assert app.handled() == [], "it was killed before it was done"

    wait_until(app.handled, "another worker handles the message")
    (line,) = app.handled()
    content, pid, release = line.split()
    assert (content, release) == ("killed", app.release)
    assert int(pid) != busy[0]

    def all_are_back() -> bool:
        pids = {row["pid"] for row in app.workers()}
        return len(pids) == PROCESSES and busy[0] not in pids

    wait_until(all_are_back, "Supervisor has started another worker in its place")
    assert app.messenger("stats")["failed"] == {"failed": 0}
