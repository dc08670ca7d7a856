"""The path of a plain message stays short: at most so many files and calls of this package for each message.

The message asks for nothing besides: no batch, no deduplication, no signature, no group, no transaction. Settings are
the defaults, but for the look for abandoned messages, which belongs to no single message and never comes here.
`pytest tests/integration/test_plain_path.py -s` prints each call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import messenger
from messenger import Application
from tests.support import path_calls
from tests.support.path_calls import Call, PathCalls, files, listing
from tests.support.servers import RedisServer

PACKAGE = Path(messenger.__file__).parent
YAML = """
messenger:
  name: plain
  handlers: [plain]
  transports: {{async: {{dsn: '{dsn}', options: {{claim_interval: 3600000}}}}}}
  routing: {{'*': async}}
"""
MODULE = """
import json
from dataclasses import dataclass
from pathlib import Path

import messenger
from messenger import StopWorker, handler
from path_calls import PathCalls

path = PathCalls(Path(messenger.__file__).parent)


@dataclass
class Sms:
    number: int


@handler
def on_sms(sms: Sms) -> None:
    # From the end of one handler to the beginning of the next one: the whole way once.
    if sms.number == 3:
        path.start()
    elif sms.number == 4:
        path.stop()
        Path("calls.json").write_text(json.dumps(path.calls))
        raise StopWorker("counted")
"""


@pytest.fixture
def directory(tmp_path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "messenger.yaml").write_text(YAML.format(dsn=redis_server.url("/plain")))
    (tmp_path / "plain.py").write_text(MODULE)
    (tmp_path / "path_calls.py").write_text(Path(path_calls.__file__).read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("plain", "path_calls"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_dispatch_to_redis(directory: Path) -> None:
    application = Application.load(directory / "messenger.yaml")
    from plain import Sms  # type: ignore[import-not-found]

    path = PathCalls(PACKAGE)
    for number in range(3):
        application.dispatch(Sms(number))
    path.start()
    application.dispatch(Sms(3))
    path.stop()
    application.close()
    assert_short(path.calls, most_files=15, most_calls=45)


def test_a_message_taken_handled_and_acknowledged(directory: Path) -> None:
    application = Application.load(directory / "messenger.yaml")
    from plain import Sms

    for number in range(5):
        application.dispatch(Sms(number))
    application.close()
    command = [sys.executable, "-m", "messenger.cli", "consume", "async"]
    subprocess.run(command, cwd=directory, env=dict(os.environ), check=True, capture_output=True)
    calls = [Call(*call) for call in json.loads((directory / "calls.json").read_text())]
    assert_short(calls, most_files=25, most_calls=100)


def assert_short(calls: list[Call], *, most_files: int, most_calls: int) -> None:
    print(listing(calls))
    assert len(files(calls)) <= most_files, listing(calls)
    assert len(calls) <= most_calls, listing(calls)
