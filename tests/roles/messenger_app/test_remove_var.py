"""How remove.yml deletes what the application's user has written, while that user goes on writing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.modules import MODULES, USER, answer_of, load

REMOVE = MODULES / "empty_directories.py"
FLOOD = """
import os, sys
os.chdir(sys.argv[1])
held = os.open(".", os.O_RDONLY)
count = 0
print("begun", flush=True)
def tries():
    yield os.mkdir, f"d{count}"
    yield os.mkfifo, f"d{count}/f"
    yield lambda name: os.mkdir(name, dir_fd=held), f"d{count}/e"
    yield lambda name: os.symlink("/", name), f"d{count}/l"
    yield os.chdir, f"d{count}/e"
while True:
    count += 1
    for act, name in tries():
        try:
            act(name)
        except OSError:
            pass
"""


def remove(root: Path, **more: Any) -> dict[str, Any]:
    return answer_of(REMOVE, {"directories": [f"{root}/shared/var", f"{root}/none"], "user": USER, **more})


def test_whatever_is_there_goes_and_nothing_else(host_root: Path) -> None:
    var, outside = host_root / "shared/var", host_root / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (var / "link").symlink_to(outside)
    (var / "directory/inner").mkdir(parents=True)
    (var / "directory/inner/link").symlink_to(outside)
    os.link(outside / "kept", var / "hard-link")
    os.mkfifo(var / "directory/fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(var / "socket"))
    with (var / "giant").open("wb") as giant:
        giant.truncate(2**42)
    for name in ("a\nb", "\x1b[2J", "x" * 255, ".moved-1", "-rf"):
        (var / name).mkdir()
        (var / name / name).write_text("")
    (var / "closed").mkdir(mode=0)
    assert remove(host_root)["changed"] is True
    assert list(var.iterdir()) == []
    assert (outside / "kept").read_text() == "kept"
    assert remove(host_root)["changed"] is False


def test_depth_does_not_hold_it_up(host_root: Path) -> None:
    deep = os.open(host_root / "shared/var", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    remove(host_root)
    assert os.listdir(host_root / "shared/var") == []


def test_it_ends_although_that_user_goes_on_writing(host_root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can take directories away from another user")
    var = host_root / "shared/var"
    command = [str(host_root / "bin/as-user"), USER, "--", "/usr/bin/python3", "-c", FLOOD, str(var)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as flood:
        assert flood.stdout is not None
        flood.stdout.readline()
        assert "failed" not in remove(host_root)
        assert os.listdir(var) == []
        flood.kill()


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, list[str]]:
    """The module with a user whom nobody else has, and the words before a command of that user."""
    if os.geteuid() != 0:
        pytest.skip("only root can end processes of another user")
    module = load(REMOVE)
    alone = module.User("alone", 1_234_567, 1_234_567)
    monkeypatch.setattr(module.User, "named", classmethod(lambda cls, name: alone))
    return module, ["setpriv", "--reuid=1234567", "--regid=1234567", "--clear-groups", "--"]


def test_processes_of_the_user_are_ended(user: tuple[ModuleType, list[str]]) -> None:
    module, words = user
    with subprocess.Popen([*words, "sh", "-c", "echo begun; exec sleep 60"], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        assert module.end_processes("alone") is True
        assert running.wait() == -9


def test_but_not_where_another_application_of_that_user_is_supervised(
    user: tuple[ModuleType, list[str]], tmp_path: Path
) -> None:
    module, words = user
    supervisord = tmp_path / "supervisord"
    supervisord.write_text(f"import subprocess\nsubprocess.run({[*words, 'sleep', '60']!r})\n")
    alone = module.User.named("alone")
    with subprocess.Popen([sys.executable, supervisord]) as running:
        while not module.is_supervised(alone):
            assert running.poll() is None
        assert module.end_processes("alone") is False
        assert running.poll() is None
        module.kill_all_of(alone)
