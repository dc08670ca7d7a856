"""After a deploy that left a worker behind: it still works, in its release, and the new workers work beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from testinfra.host import Host

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_the_worker_still_has_its_message(app: App, before: list[dict[str, Any]]) -> None:
    (row,) = [row for row in app.workers() if row["state"] == "detached"]
    assert (row["pid"], row["release"]) in {(old["pid"], old["release"]) for old in before}
    assert row["message"]["type"] == "App\\Message\\SmsNotification"
    assert not [line for line in app.handled() if line.startswith("held ")]


def test_all_others_run_the_new_release(app: App, before: list[dict[str, Any]]) -> None:
    rows = [row for row in app.workers() if row["state"] != "detached"]
    assert len(rows) == len(before)
    assert {row["release"] for row in rows} == {app.release}
    assert app.release not in {row["release"] for row in before}
    assert app.send_and_wait("beside it")["status"] == "handled"


def test_its_release_is_kept(host: Host, app: App, before: list[dict[str, Any]]) -> None:
    assert set(host.file(f"{app.root}/releases").listdir()) == {before[0]["release"], app.release}


def test_it_is_said(app: App, run_output: str) -> None:
    (row,) = [row for row in app.workers() if row["state"] == "detached"]
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", run_output).split())
    what = f"App\\Message\\SmsNotification {row['message']['id']}"
    assert f"in the background {row['process']}, pid {row['pid']}: finishes {what} on release {row['release']}" in said
    assert f"in the background: pid {row['pid']}, once {row['process']}, release {row['release']}" in said
