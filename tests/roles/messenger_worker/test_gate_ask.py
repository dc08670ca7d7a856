"""How modules run the messenger command: whatever is done to it, they go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.modules import PLUGINS, load

COMMAND = load(PLUGINS / "module_utils/command.py")


def test_the_answer_and_the_last_line_of_errors() -> None:
    said = COMMAND.ask(["sh", "-c", """echo '{"a": 1}'; printf 'one\\ntwo \\033[2J\\n\\n' >&2; exit 3"""], 30)
    assert said == (3, {"a": 1}, r"two \x1b[2J")


@pytest.mark.parametrize("text", ["", "nothing", "[1]", "{", "[" * 100_000])
def test_what_is_no_answer_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "said").write_text(text)
    assert COMMAND.ask(["cat", str(tmp_path / "said")], 30) == (0, {}, "")


@pytest.mark.parametrize("command", ["kill -STOP $$", "exec yes", "exec yes >&2"])
def test_its_time_and_what_it_says_are_bounded(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(COMMAND, "MOST_BYTES", 10_000)
    code, answer, _ = COMMAND.ask(["sh", "-c", command], 1 if "STOP" in command else 600)
    assert (code, answer) == (-9, {})
