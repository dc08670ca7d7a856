"""After a backup was restored for which a worker in the background had to end: its message was finished first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_message_was_handled_once(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    pids = [int(line.split()[1]) for line in app.handled() if line.startswith("held ")]
    assert len(pids) == 2, "that of the deploy, and this one"
    assert pids[1] in {row["pid"] for row in before}
    logs = host.check_output("cat /srv/sms/shared/var/detached/*.log")
    assert logs.count("message_handled") == 2
    assert "left_pending" not in logs


def test_the_workers_work(app: App) -> None:
    assert [row["state"] for row in app.workers()] == ["idle", "idle"]
    assert app.send_and_wait("after it")["status"] == "handled"
