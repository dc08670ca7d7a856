"""Two more processes: those that were there went on."""

from __future__ import annotations

from typing import Any


def test_the_others_kept_their_process(app: Any, before: list[dict[str, Any]]) -> None:
    workers = {worker["process"]: worker["pid"] for worker in app.workers()}
    assert sorted(workers) == ["mail-00", "mail-01", "mail-02", "mail-03"]
    assert {worker["process"]: worker["pid"] for worker in before}.items() <= workers.items()
    assert {worker["pool"] for worker in app.workers()} == {"mail"}


def test_it_is_in_the_audit_trail(app: Any) -> None:
    last = app.audit()[-1]
    assert (last["what"], last["outcome"], last["reason"]) == ("scale", "ok", "pool mail: 4 processes")
