"""After a second good release: all workers run it, and the first is kept to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_new_processes_run_the_new_release(app: App, before: list[dict[str, Any]]) -> None:
    rows = app.workers()
    assert len(rows) == PROCESSES
    assert {row["release"] for row in rows} == {app.release}
    assert app.release not in {row["release"] for row in before}
    assert not {row["pid"] for row in rows} & {row["pid"] for row in before}


def test_the_first_release_is_kept(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    assert set(host.file(f"{app.root}/releases").listdir()) == {app.release, before[0]["release"]}


def test_messages_are_handled(app: App) -> None:
    assert app.send_and_wait("second-release")["status"] == "handled"
