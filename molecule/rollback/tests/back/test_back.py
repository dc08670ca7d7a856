"""After the rollback: all workers run the first release again, and the second is marked as one not to come back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]

PROCESSES = 2


def test_the_first_release_runs_again(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    releases = sorted(host.file(f"{app.root}/releases").listdir())
    assert len(releases) == 2
    assert app.release == releases[0]
    assert {row["release"] for row in before} == {releases[1]}
    rows = app.workers()
    assert len(rows) == PROCESSES
    assert {row["release"] for row in rows} == {app.release}


def test_the_release_that_was_left_is_marked(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    assert host.file(f"{app.root}/releases/{before[0]['release']}/.bad").exists
    assert not host.file(f"{app.root}/releases/{app.release}/.bad").exists


def test_audit_trail_has_the_way_back(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    deployed, rolled_back = [line for line in app.audit() if line["what"] in ("deploy", "rollback")][-2:]
    assert (deployed["what"], deployed["release"], deployed["from"]) == ("deploy", before[0]["release"], app.release)
    assert (rolled_back["what"], rolled_back["release"]) == ("rollback", app.release)
    assert rolled_back["from"] == before[0]["release"]
    assert not host.file("/var/lib/messenger-kit/sms.lock").exists


def test_messages_are_handled_by_it(app: App) -> None:
    assert app.send_and_wait("rolled-back")["status"] == "handled"
    content, _, release = app.handled()[-1].split()
    assert (content, release) == ("rolled-back", app.release)


def test_supervisor_killed_nobody(host: Host) -> None:
    log = host.file("/var/log/supervisor/supervisord.log").content_string
    assert "entered RUNNING state" in log
    assert "SIGKILL" not in log
