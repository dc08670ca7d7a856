"""After a deploy beside a long message: the old worker finished it, and no other began it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_long_message_was_handled_once_by_the_worker_that_had_it(app: App, before: list[dict[str, Any]]) -> None:
    (handled,) = [line.split() for line in app.handled() if line.startswith("long ")]
    _, pid, release = handled
    assert (int(pid), release) in {(row["pid"], row["release"]) for row in before}
    assert app.messenger("failed", "show")["messages"] == []


def test_all_workers_run_the_new_release(app: App, before: list[dict[str, Any]]) -> None:
    rows = app.workers()
    assert len(rows) == len(before)
    assert {row["release"] for row in rows} == {app.release}
    assert not {row["pid"] for row in rows} & {row["pid"] for row in before}


def test_nobody_was_killed(host: Host) -> None:
    assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string


def test_messages_are_handled_by_it(app: App) -> None:
    assert app.send_and_wait("short")["status"] == "handled"
    assert app.handled()[-1].split()[2] == app.release
