"""What a controller without a clone deployed: workers that handle messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import App

testinfra_hosts = ["ansible://host1"]


def test_workers_handle_messages(app: App) -> None:
    rows = app.workers()
    assert len(rows) == 2
    assert {row["release"] for row in rows} == {app.release}
    assert app.send_and_wait("installed")["status"] == "handled"
