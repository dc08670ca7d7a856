"""After a broken release was refused: the host is as before, to the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_same_processes_run_the_same_release(app: App, before: list[dict[str, Any]]) -> None:
    assert len(before) == PROCESSES
    assert {row["release"] for row in before} == {app.release}
    now = app.workers()
    assert {(row["pid"], row["release"]) for row in now} == {(row["pid"], row["release"]) for row in before}


def test_only_the_old_release_is_on_the_host(host: Host, app: App) -> None:
    assert host.file(f"{app.root}/releases").listdir() == [app.release]


def test_audit_trail_has_what_was_changed_and_not_what_was_refused(app: App) -> None:
    first, unlock = app.audit()
    assert (first["what"], first["outcome"], first["release"]) == ("deploy", "ok", app.release)
    assert unlock["what"] == "unlock"
    assert unlock["reason"].startswith("somebody@elsewhere holds it since")
    assert unlock["reason"].endswith("; the-test-is-over")


def test_messages_are_handled(app: App) -> None:
    assert app.send_and_wait("after-refusal")["status"] == "handled"
