"""--format json: every command that prints a result has it, and prints one JSON document and nothing else."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator

import click
import pytest

from messenger.cli import cli
from tests.integration.cli.failing import fail, ids
from tests.integration.worker.project import Project

# A worker, which writes a log, and a script for the shell. All others print results.
NO_RESULTS = {("consume",), ("completion",)}
# Each way in which a command prints something of its own; FAILED stands for the id of a failed message.
CALLS: dict[tuple[str, ...], list[tuple[str, ...]]] = {
    ("check",): [()],
    ("debug",): [()],
    ("dispatch",): [("Task", "{}"), ("Task", "{}", "--count", "2")],
    ("failed", "remove"): [("FAILED", "--force"), ("--all", "--force", "--show-messages")],
    ("failed", "retry"): [("FAILED",), ("--all",)],
    ("failed", "show"): [(), ("-v",), ("-vv",), ("--stats",), ("FAILED",)],
    ("pause",): [(), ("--pool", "light", "--wait", "25")],
    ("repair",): [("--dry-run",), ("--stream", "async")],
    ("resume",): [(), ("--pool", "light")],
    ("setup-transports",): [(), ("high",)],
    ("stats",): [(), ("-v",)],
    ("stop-workers",): [(), ("--wait", "25")],
    ("workers",): [(), ("--until-release", "-", "--count", "1", "--timeout", "25")],
}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that the parser knows, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def test_every_command_has_it_but_those_without_results() -> None:
    found = dict(commands(cli))
    assert set(found) == set(CALLS) | NO_RESULTS, "a new command: say here how it is called"
    for path, command in found.items():
        formats = [p.type.choices for p in command.params if "--format" in p.opts and isinstance(p.type, click.Choice)]
        assert formats == ([] if path in NO_RESULTS else [("text", "txt", "json")]), path


@pytest.mark.parametrize("path", sorted(NO_RESULTS))
def test_those_without_results_print_no_table(path: tuple[str, ...]) -> None:
    command = dict(commands(cli))[path]
    source = inspect.getsource(importlib.import_module(str(command.callback and command.callback.__module__)))
    assert "print_table" not in source
    assert "print_json" not in source


@pytest.mark.parametrize("path", CALLS, ids=" ".join)
def test_stdout_is_one_json_document(project: Project, path: tuple[str, ...]) -> None:
    if path[0] == "failed":
        fail(project, "a", "b")
    if path[0] in ("stats", "stop-workers", "workers"):
        project.worker("high")
        project.wait_for_workers(1)
    for call in CALLS[path]:
        arguments = [ids(project)[0] if argument == "FAILED" else argument for argument in call]
        document = json.loads(project.run(*path, *arguments, "--format", "json").stdout)
        assert isinstance(document, dict)
        assert document
