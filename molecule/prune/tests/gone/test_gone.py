"""After the job: the old release is gone, and so is its environment; the workers do not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_only_the_live_release_and_its_environment_are_left(host: Host, app: App) -> None:
    assert host.file(f"{app.root}/releases").listdir() == [app.release]
    (environment,) = host.file(f"{app.root}/environments").listdir()
    link = host.file(f"{app.root}/current/environment").linked_to
    assert link == f"{app.root}/environments/{environment}"


def test_the_audit_trail_has_one_prune(app: App, before: list[dict[str, Any]]) -> None:
    (prune,) = [line for line in app.audit() if line["what"] == "prune"]
    assert prune["reason"] == f"removed {before[0]['release']}"
    assert prune["from"] == app.release


def test_messages_are_handled(host: Host, app: App) -> None:
    assert app.send_and_wait("after the prune")["status"] == "handled"
    assert not host.file("/var/lib/messenger-kit/sms.lock").exists
