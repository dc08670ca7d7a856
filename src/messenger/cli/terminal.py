"""Talking to a person at a terminal: asking, showing progress, and text that cannot do harm there."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import click

from messenger.printable import LONGEST_LINE, printable

CLEAR_LINE = "\r\x1b[K"


def is_asked() -> bool:
    """Return True when a user at stdin can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_watched() -> bool:
    """Return True when stderr is a terminal, where a progress bar can be seen."""
    return sys.stderr is not None and sys.stderr.isatty()


def choose(question: str, choices: Sequence[str], default: str | None = None) -> str:
    """One of the choices, asked on stderr until it is one. Raises click.Abort at the end of the input."""
    answer: str = click.prompt(question, type=click.Choice(list(choices)), default=default, err=True)
    return answer


def choose_several(question: str, choices: Sequence[str]) -> tuple[str, ...]:
    """One or more of the choices, in the order they are typed, asked on stderr until they are such.

    Raises click.Abort at the end of the input.
    """

    def chosen(answer: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(answer.replace(",", " ").split()))
        unknown = [name for name in names if name not in choices]
        if unknown or not names:
            raise click.UsageError(f"{printable(unknown[0])!r} is none of them" if unknown else "name at least one")
        return names

    answer: tuple[str, ...] = click.prompt(f"{question} ({', '.join(choices)})", value_proc=chosen, err=True)
    return answer


def confirm(question: str, *, default: bool) -> None:
    """Ask a question on stderr.

    Raises:
        click.ClickException: The answer is not yes, or there is no terminal to answer at.
    """
    try:
        agreed = click.confirm(question, default=default, err=True)
    except click.Abort:
        say(err=True)
        agreed = False
    if not agreed:
        raise click.ClickException("nothing was done; --force does not ask")


def say(text: object = "", *, err: bool = False, limit: int | None = LONGEST_LINE) -> None:
    """Print one line, whatever is in the text.

    Args:
        text: The text.
        err: Print on stderr.
        limit: The largest number of characters to print; None prints all.
    """
    click.echo(printable(text, limit), err=err)


class Progress:
    """A progress bar on stderr; none when stderr is no terminal, or without a label.

    with Progress(len(ids), "Sending") as progress: … progress.step(); progress.line("text")
    """

    def __init__(self, length: int | None, label: str) -> None:
        """Create a progress bar.

        Args:
            length: Number of steps; None when it is unknown: then the bar only counts.
            label: Text of the bar; "" for none.
        """
        self._bar: Any = None
        if label and (length is None or length > 1) and is_watched():
            unknown = (None for _ in ()) if length is None else None
            self._bar = click.progressbar(unknown, length, label, file=sys.stderr, show_pos=True)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, trace)

    def step(self, count: int = 1) -> None:
        """Count more items as done."""
        if self._bar is not None:
            self._bar.update(count)

    def line(self, text: str, *, err: bool = False) -> None:
        """Print a line in the place of the bar; the next step draws the bar below it."""
        if self._bar is not None:
            click.echo(CLEAR_LINE, nl=False, err=True)
        say(text, err=err)
