"""What the commands share: loading the application, options and their types, plain tables."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from messenger.application import Application
from messenger.cli.terminal import say
from messenger.config.environment import read_environment
from messenger.control.plane import Control
from messenger.errors import ConfigError
from messenger.printable import SHORT, printable

_PLACES = (Path("messenger.yaml"), Path("config/packages/messenger.yaml"))
_SIZE = re.compile(r"(0x[0-9a-f]+|\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_AGES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "txt", "json"]),
    metavar="[text|json]",
    default="text",
    show_default=True,
    help="How to print.",
)
pids_option = click.option(
    "--pids-from-stdin",
    is_flag=True,
    help="Of this host believe only workers whose process is among the pids on stdin: a line of pids, and another at "
    "each change.",
)


def load(context: click.Context) -> Application:
    """The application of --config, or of the messenger.yaml found here.

    `.env` beside it becomes part of this process's environment, so that handlers see it too; what is set wins. Only a
    command may do that: a library call must not change the environment of the program that makes it.
    """
    path = config_path(context.find_root().obj)
    for name, value in read_environment(path.resolve().parent, os.environ).items():
        os.environ.setdefault(name, value)
    application = Application.load(path)
    application.check_handlers()
    return application


def config_path(given: str | None) -> Path:
    """Return the messenger.yaml to use.

    Raises:
        ConfigError: There is none.
    """
    if given is not None:
        return Path(given)
    for place in _PLACES:
        if place.is_file():
            return place
    raise ConfigError(
        f"no {_PLACES[0]} in {Path.cwd()}: go to the application's directory, or name the file with --config FILE"
    )


def need_control(application: Application) -> Control:
    """The control plane. ConfigError when the configuration has no Redis."""
    control = application.control()
    if control is None:
        raise ConfigError(
            f"{application.loaded.path}: no Redis that workers could report to; set 'control: redis://HOST' beside "
            "'transports', or stop workers through Supervisor"
        )
    return control


def say_problems(control: Control) -> None:
    """Say on stderr what was unreadable in the control plane."""
    say_unreadable(control.take_problems())


def say_unreadable(problems: Iterable[str]) -> None:
    """Say on stderr what is unreadable."""
    for problem in problems:
        say(f"unreadable: {problem}; `messenger repair` removes it", err=True)


def print_json(document: Any) -> None:
    """One JSON document on stdout, in UTF-8 whatever the terminal; what could steer one comes as its JSON escape."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if not text.replace("\n", "").isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    click.echo(text.encode())


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns padded to their widest cell; no wrapping, so that it can be cut and grepped."""
    texts = [[printable(cell, SHORT) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    for row in texts:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), limit=None)


def seconds_text(seconds: float | None) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min, 2 h."""
    if seconds is None:
        return "-"
    for limit, divisor, unit in ((10.0, 1, "s"), (120.0, 1, "s"), (7200.0, 60, "min"), (float("inf"), 3600, "h")):
        if seconds < limit:
            return f"{seconds:.1f} {unit}" if limit == 10.0 else f"{seconds / divisor:.0f} {unit}"
    return "-"


class SizeType(click.ParamType[int]):
    """128M, 1G, 1.5g, 0x1000, 500000: a number of bytes, multiplied by 1024 for each step of K, M, G, T."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no size; allowed: a number with K, M, G or T, such as 128M", param, ctx)
        number = float(int(match[1], 16)) if match[1].lower().startswith("0x") else float(match[1])
        size = int(number * 1024 ** _UNITS[match[2].lower()])
        if size < 1:
            self.fail("a memory limit is at least 1 byte", param, ctx)
        return size


_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


class MomentType(click.ParamType[datetime]):
    """How long ago (90s, 15m, 2h, 7d), or a date or time of ISO 8601; without an offset in this machine's zone."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """A moment with its zone."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        ago = _AGO.fullmatch(text)
        try:
            if ago is not None:
                return datetime.now().astimezone() - timedelta(**{_AGES[ago[2]]: float(ago[1])})
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo is not None else moment.astimezone()
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{value!r} is no moment; allowed: how long ago (90s, 15m, 2h, 7d), or a date or time such as "
                "2026-11-24T08:00",
                param,
                ctx,
            )
