"""What a deploy says of the workers that ran before, and of those that do not leave."""

from __future__ import annotations

import json
from typing import Any

from tests.roles.render import render
from tests.support.modules import ROLES

MESSAGE = {"type": "App\\Message\\Mail", "id": "17-0", "seconds": 3.0}


def said(**registered: Any) -> str:
    return render(
        ROLES / "messenger_worker/templates/changed.txt.j2",
        "messenger_worker",
        inventory_hostname="host1",
        messenger_app_root="/srv/sms",
        **{
            "__messenger_worker_supervised": {"stopped": []},
            "__messenger_worker_left": {"workers": []},
            "__messenger_worker_gate": {"background": []},
            "__messenger_worker_registry": {"skipped": True},
            **registered,
        },
    )


def row(outcome: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
    """One of `messenger stop-workers`."""
    return {
        "id": "w",
        "process": "mail_00",
        "pid": 7,
        "release": "old",
        "outcome": outcome,
        "seconds": 2.1,
        "message": message,
    }


def test_who_left_and_with_which_message() -> None:
    asked = [row("left", MESSAGE), row("left"), row("detached", MESSAGE)]
    text = said(__messenger_worker_left={"workers": asked})
    assert "  finished and left  mail_00, pid 7, in 2.1 s, with App\\Message\\Mail 17-0\n" in text
    assert "  finished and left  mail_00, pid 7, in 2.1 s\n" in text
    assert text.count("finished and left") == 2


def test_who_was_killed_and_what_it_had_in_hand() -> None:
    stopped = [
        {"process": "mail_00", "pid": 7, "seconds": 60.2, "exit": -1},
        {"process": "mail_01", "pid": 8, "seconds": 55.0, "exit": 75},
    ]
    there = json.dumps({"workers": [{"pid": 9, "front": 7, "message": MESSAGE}]})
    text = said(__messenger_worker_supervised={"stopped": stopped}, __messenger_worker_registry={"stdout": there})
    assert "KILLED             mail_00, pid 7, after 60.2 s; handled again: App\\Message\\Mail 17-0" in text
    assert "HANDED BACK        mail_01, pid 8, after 55.0 s; handled again: `messenger stats -v` shows what" in text


def test_who_goes_on_in_the_background_has_not_left() -> None:
    background = [{"process": "mail_00", "pid": 9, "release": "old", "message": MESSAGE}]
    text = said(
        __messenger_worker_supervised={"stopped": [{"process": "mail_00", "pid": 7, "seconds": 0, "exit": 0}]},
        __messenger_worker_gate={"background": background},
    )
    assert "mail_00, pid 9: finishes App\\Message\\Mail 17-0 on release old" in text
    assert "finished and left" not in text
