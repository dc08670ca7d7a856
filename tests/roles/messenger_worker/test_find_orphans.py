"""Which workers status.yml finds that no Supervisor has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.modules import PLUGINS, load

workers = load(PLUGINS / "module_utils/workers.py")
WORKER = "import sys, time\nprint('up', flush=True)\ntime.sleep(60)\n"
# Starts what its arguments say and waits for it; `supervisord` and another worker are made of it.
STARTER = "import subprocess, sys\nsubprocess.run([sys.executable, *sys.argv[-2:]])\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, *words: str) -> int:
    """The pid of what runs now; ended after the test, with what it has started."""
    process = stack.enter_context(
        subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, start_new_session=True)
    )
    stack.callback(subprocess.run, ["kill", "-KILL", "--", f"-{process.pid}"], check=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process.pid


def orphans(root: Path) -> list[int]:
    found: list[int] = workers.unsupervised(root)
    return found


def test_a_worker_without_a_supervisor_is_found(tmp_path: Path, stack: ExitStack) -> None:
    worker = tmp_path / "current/venv/bin/messenger"
    worker.parent.mkdir(parents=True)
    worker.write_text(WORKER)
    (tmp_path / "bin").mkdir()
    supervisord = tmp_path / "bin/supervisord"
    supervisord.write_text(STARTER)
    start(stack, str(supervisord), str(worker), "consume")
    assert orphans(tmp_path) == []
    mine = start(stack, str(worker), "consume")
    start(stack, str(worker), "stats")
    assert orphans(tmp_path) == [mine]
    assert orphans(tmp_path / "other") == []


def test_what_a_worker_has_started_is_none(tmp_path: Path, stack: ExitStack) -> None:
    worker = tmp_path / "releases/1/venv/bin/messenger"
    worker.parent.mkdir(parents=True)
    worker.write_text(WORKER.replace("time.sleep", "import os; os.fork(); time.sleep"))
    mine = start(stack, str(worker), "consume", "async")
    assert orphans(tmp_path) == [mine]
