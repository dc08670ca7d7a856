"""The README's first example is examples/sms, and what it dispatches arrives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from messenger.config.loader import load_config
from tests.docs.blocks import blocks, files
from tests.docs.conftest import Guide
from tests.support.paths import ROOT

README = ROOT / "README.md"
EXAMPLE = ROOT / "examples/sms"


def test_its_code_is_that_of_the_example() -> None:
    for name in ("sms/message.py", "sms/handlers.py"):
        source = (EXAMPLE / "src" / name).read_text(encoding="utf-8")
        lines = [line.split("  #")[0].strip() for line in files(README)[name].splitlines()]
        assert [line for line in lines if line not in ("", "...") and line not in source] == [], name


def test_its_messenger_yaml_says_the_same(tmp_path: Path) -> None:
    shown = tmp_path / "messenger.yaml"
    shown.write_text(files(README)["messenger.yaml"], encoding="utf-8")
    environ = {"MESSENGER_TRANSPORT_DSN": "redis://localhost"}
    assert load_config(shown, environ).messenger == load_config(EXAMPLE / "messenger.yaml", environ).messenger


def test_what_it_dispatches_is_handled_now_and_later(guide: Callable[[str], Guide]) -> None:
    project = guide("README.md")
    shutil.copytree(EXAMPLE / "src/sms", project.directory / "sms", dirs_exist_ok=True)
    (dispatching,) = (block for block in blocks(README) if "app.dispatch(" in block.text)
    project.python("-c", "from sms.message import SmsNotification\n" + dispatching.text)
    worker = project.messenger("consume", "async", "--limit", "1")
    assert "sms_sent to=- characters=5" in worker
    with project.server.client() as client:
        assert client.zcard("messages__queue") == 1, "the other one waits for its minute"
