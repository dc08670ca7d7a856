"""After the worker that was left behind has finished: its message was handled once, and nothing is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_message_was_handled_once_by_the_worker_that_had_it(app: App, before: list[dict[str, Any]]) -> None:
    (handled,) = [line.split() for line in app.handled() if line.startswith("held ")]
    _, pid, release = handled
    assert (int(pid), release) in {(row["pid"], row["release"]) for row in before}
    assert app.messenger("failed", "show")["messages"] == []


def test_its_end_is_in_its_log(host: Host, app: App) -> None:
    (name,) = host.file(f"{app.root}/shared/var/detached").listdir()
    log = host.file(f"{app.root}/shared/var/detached/{name}")
    assert (log.user, oct(log.mode)) == ("sms", "0o640")
    words = [line.split()[2] for line in log.content_string.splitlines()]
    assert words == ["detached", "message_handled", "worker_stopped"]


def test_nobody_was_killed(host: Host) -> None:
    assert "SIGKILL" not in host.file("/var/log/supervisor/supervisord.log").content_string
    assert "SIGKILL" not in host.check_output("journalctl --unit=supervisor --no-pager")


def test_its_release_is_gone(host: Host, app: App) -> None:
    assert host.file(f"{app.root}/releases").listdir() == [app.release]
    assert {row["release"] for row in app.workers()} == {app.release}
