"""What a playbook runs as the application's user is bounded in time: that user can stop every process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.modules import ROLES


def commands(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The name of each task that runs a command, also in blocks, and the words of the command."""
    for task in tasks:
        for part in ("block", "rescue", "always"):
            yield from commands(task.get(part, []))
        if command := task.get("ansible.builtin.command") or task.get("ansible.builtin.shell"):
            yield task["name"], json.dumps(command["argv"] if isinstance(command, dict) else command)


def test_every_messenger_command_of_the_roles_is_bounded() -> None:
    found = [
        (file.name, name, words)
        for file in sorted(ROLES.glob("*/tasks/*.yml"))
        for name, words in commands(yaml.safe_load(file.read_text()))
        if "bin/messenger" in words or "__messenger_worker_cli" in words or "__messenger_worker_command" in words
    ]
    assert len(found) > 10
    assert [each for each in found if "__messenger_worker_command" not in each[2] and "--within" not in each[2]] == []


def test_no_task_changes_the_user_by_another_way() -> None:
    text = {file: file.read_text() for file in ROLES.glob("*/tasks/*.yml")}
    ways = ("runuser", "setpriv", "become_user", "sudo ", "su -")
    assert [(file.name, way) for file, content in text.items() for way in ways if way in content] == []
