"""After restart.yml, logs.yml and failed.yml: other processes run the same release, and one message failed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_other_processes_run_the_same_release(app: App, before: list[dict[str, Any]]) -> None:
    rows = app.workers()
    assert len(rows) == len(before) == PROCESSES
    assert {row["release"] for row in rows} == {row["release"] for row in before} == {app.release}
    assert not {row["pid"] for row in rows} & {row["pid"] for row in before}


def test_supervisor_killed_nobody(host: Host) -> None:
    assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string


def test_one_was_removed_and_one_tried_again(app: App, wait_until: Callable[..., None]) -> None:
    def failed() -> list[str]:
        return [row["id"] for row in app.messenger("failed", "show")["messages"]]

    wait_until(failed, "the message that was tried again fails again")
    (left,) = failed()
    assert app.messenger("failed", "remove", left, "--force")["done"] == {left: "removed"}
