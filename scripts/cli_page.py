#!/usr/bin/env python3
"""docs/cli.md, made from the parser of the command `messenger`: what --help says, as one page.

scripts/cli_page.py            say whether it is up to date
scripts/cli_page.py --write    write it
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import generated

from messenger.cli import cli

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
EXIT_CODES = "Exit codes: "
EXAMPLES = "\b\n"
INTRODUCTION = """\
# The command line

Run `messenger` in the directory of the application, where `messenger.yaml` and `.env` are, or name the file with
`--config FILE` or `MESSENGER_CONFIG`. On a host of the kit, `/srv/<app>/bin/messenger` does so for the live release.

Results go to stdout, everything else to stderr. An error is one line. `--help` of a command prints what this page says.
Common to the commands, where the page says nothing else:

| option, exit code | meaning |
| --- | --- |
| `--format [text\\|json]` | how to print results, [JSON](json.md) too; not of `consume` and `completion` |
| 0 | done |
| 64 | wrong usage |
| 78 | the configuration or the application cannot be loaded |

Made by `scripts/cli_page.py --write`.
"""
COMMON_CODES = {0: "done", 64: "wrong usage", 78: "the configuration or the application cannot be loaded"}
COMMON_OPTION = "--format [text|json]"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, in the order of the parser."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def paragraphs(command: click.Command) -> list[str]:
    """The parts of what the help says about a command."""
    return inspect.cleandoc(command.help or "").split("\n\n")


def examples(command: click.Command) -> list[str]:
    """Command lines, `messenger …`."""
    blocks = [part.removeprefix(EXAMPLES) for part in paragraphs(command) if part.startswith(EXAMPLES)]
    return [line.strip() for block in blocks for line in block.splitlines()]


def exit_codes(command: click.Command) -> dict[int, str]:
    """What each exit code says."""
    (text,) = [" ".join(part.split()) for part in paragraphs(command) if part.startswith(EXIT_CODES)]
    parts = re.split(r"; (?=\d)", text.removeprefix(EXIT_CODES).removesuffix("."))
    return {int(code): when or "done" for code, _, when in (part.partition(" ") for part in parts)}


def section(path: tuple[str, ...], command: click.Command) -> str:
    """One command: its usage, what it does, examples, options, exit codes."""
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join(["messenger", *path, *command.collect_usage_pieces(context)])
    prose = [part for part in paragraphs(command) if not part.startswith((EXIT_CODES, EXAMPLES))]
    return "\n".join(
        [
            f"## messenger {' '.join(path)}\n",
            f"    {usage}\n",
            "\n\n".join(prose),
            "\n```bash",
            *examples(command),
            "```\n",
            *option_lines(command),
            *own_exit_codes(command),
        ]
    )


def own_exit_codes(command: click.Command) -> list[str]:
    """One line with the exit codes that do not mean what they mean everywhere; nothing when there is none."""
    own = [f"{code} {when}" for code, when in exit_codes(command).items() if COMMON_CODES.get(code) != when]
    return [f"Exit codes: {'; '.join(own)}.\n"] if own else []


def option_lines(command: click.Command) -> list[str]:
    """The list of the options, without --help and --format; nothing when there is no other."""
    context = click.Context(command)
    records = [option.get_help_record(context) for option in command.params if isinstance(option, click.Option)]
    lines = [
        f"- `{record[0]}` {' '.join(record[1].split())}"
        for record in records
        if record is not None and record[0] != COMMON_OPTION
    ]
    return [*lines, ""] if lines else []


def page() -> str:
    """The text of the page."""
    parts = [INTRODUCTION, *option_lines(cli)]
    return "\n".join([*parts, *(section(path, command) for path, command in commands(cli))])


if __name__ == "__main__":
    sys.exit(generated.main("scripts/cli_page.py", __doc__, lambda: {PAGE: page()}))
