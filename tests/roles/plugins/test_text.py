"""The one place of the kit that makes text from hosts fit for the operator's terminal."""

from __future__ import annotations

import json

import pytest

from tests.roles.render import evaluate, render
from tests.support.modules import PLUGINS, ROLES, load

TEXT = load(PLUGINS / "module_utils/text.py")
EVIL = "a\x1b[31mb\rc\x9bd\u202ee\u2028f\x00"
SHOWN = r"a\x1b[31mb\rc\x9bd\u202ee\u2028f\x00"


def test_one_line_without_anything_that_steers_a_terminal() -> None:
    assert TEXT.printable(f"{EVIL}\n") == SHOWN + r"\n"
    assert TEXT.printable("Zürich 😀") == "Zürich 😀"
    assert TEXT.printable("\ud800") == r"\ud800"
    assert [len(TEXT.printable(char * 5000)) for char in "x\x00"] == [1000, 1000]
    assert TEXT.printable(7) == "7"


def test_lines_stay_lines() -> None:
    assert TEXT.printable_block(f"{EVIL}\nb") == f"{SHOWN}\nb"
    assert TEXT.printable_block("x\n" * 5000).endswith("… 3001 more lines")


@pytest.mark.parametrize(("text", "last"), [("a\n b \n\n", "b"), ("", ""), ("\n", ""), (f"x\n{EVIL}", r"f\x00")])
def test_the_last_line(text: str, last: str) -> None:
    assert TEXT.last_line(text) == last


def test_templates_have_them_as_filters() -> None:
    for name, shown in (("line", r"a\x1b\nb"), ("text", "a\\x1b\nb"), ("last_line", "b")):
        assert evaluate(f"{{{{ x | messenger.kit.{name} }}}}", "messenger_app", x="a\x1b\nb") == shown


def test_a_failed_message_steers_no_terminal_and_forges_no_line() -> None:
    message = {"id": "1", "type": f"A\nB{EVIL}", "from": "a\nb", "failed_at": "now", "error": f"{EVIL}\n! w2: no disk"}
    host = {"__messenger_worker_listed": {"stdout": json.dumps({"on_this_host": True, "messages": [message]})}}
    text = render(
        ROLES / "messenger_worker/templates/failed.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["w1"],
        hostvars={"w1": host},
    )
    assert len(text.splitlines()) == 4
    assert text.replace("\n", "").isprintable()
