"""Commands that run on hosts are found whatever PATH is there: that of `su` has no sbin."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.roles.playbooks.test_refusal import tasks
from tests.support.modules import PLUGINS, ROLES
from tests.support.paths import ROOT

WITHOUT_SBIN = "/usr/bin:/bin"
RUN = ("run", "Popen", "check_output", "check_call", "run_command", "execve", "execvp", "execv")


def in_python(file: Path) -> Iterator[str]:
    """First words of the lists that a module runs, or makes to run: `["dpkg-query", …]`."""
    for node in ast.walk(ast.parse(file.read_text())):
        words = node.args[0] if isinstance(node, ast.Call) and node.args else None
        if isinstance(node, ast.Assign) and any("command" in ast.unparse(target) for target in node.targets):
            words = node.value
        elif not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in RUN:
            continue
        if isinstance(words, ast.List) and words.elts and isinstance(words.elts[0], ast.Constant):
            word = str(words.elts[0].value)
            if not word.isupper():  # one of Redis's
                yield word


def in_tasks(file: Path) -> Iterator[str]:
    """First words of the commands of a task file or a playbook."""
    document = yaml.safe_load(file.read_text())
    plays = [task for play in document for part in ("tasks", "handlers") for task in tasks(play.get(part, []))]
    for task in [*tasks(document), *plays]:
        argv = task.get("ansible.builtin.command", {})
        argv = argv.get("argv", argv.get("cmd", "")) if isinstance(argv, dict) else argv
        first = argv[0] if isinstance(argv, list) else argv.split()[0] if argv else ""
        first = first.removeprefix("{{").strip().removeprefix("[").lstrip("'\"") if isinstance(argv, str) else first
        word = first.split("'")[0].rstrip(",")
        if word and "{{" not in word and not word.startswith(("(", "_", "messenger_")):
            yield word


def commands() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in [*PLUGINS.glob("module*/*.py"), *ROLES.glob("*/files/*.py")]:
        for word in in_python(file):
            found.setdefault(word, []).append(file.name)
    playbooks = [file for part in ("*.yml", "tasks/*.yml") for file in (ROOT / "playbooks").glob(part)]
    for file in [*ROLES.glob("*/tasks/*.yml"), *playbooks]:
        for word in in_tasks(file):
            found.setdefault(word, []).append(file.name)
    return found


def test_they_are_found() -> None:
    found = commands()
    assert {"dpkg-query", "cat", "openssl", "env", "redis-cli"} <= set(found)


@pytest.mark.parametrize("command", sorted(commands()))
def test_a_command_needs_no_sbin(command: str) -> None:
    if command == "systemctl":  # where there is systemd, it lies in /usr/bin
        return
    assert command.startswith("/") or shutil.which(command, path=WITHOUT_SBIN), commands()[command]
