"""Which transports `messenger consume` receives from."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

import click

from messenger.application import Application
from messenger.cli.terminal import choose_several, is_asked


def choose_transports(
    application: Application, given: Sequence[str], *, every: bool, exclude: Collection[str], ask: bool
) -> tuple[str, ...]:
    """Return the transports to consume, in order.

    Args:
        application: The application.
        given: Names, or regular expressions that match whole names.
        every: Choose all transports, except failure transports and those that hold nothing (sync://).
        exclude: With `every`: leave out these.
        ask: Ask at the terminal when there is a choice.

    Raises:
        click.UsageError: A name is unknown, or is that of a transport that cannot be consumed.
    """
    if given and every:
        raise click.UsageError("give transports or --all, not both")
    if exclude and not every:
        raise click.UsageError("--exclude goes with --all")
    if given:
        return tuple(dict.fromkeys(name for pattern in given for name in _matching(application, pattern)))
    for name in exclude:
        if name not in application.transport_names:
            raise _unknown(application, name)
    holding = [name for name in application.transport_names if not _is_sync(application, name)]
    usual = [name for name in holding if name not in application.failure_transport_names]
    if every or len(usual) == 1:
        left = [name for name in usual if name not in exclude]
        if not left:
            raise click.UsageError("no transport is left to consume")
        return tuple(sorted(left, key=lambda name: -application.transport_config(name).priority))
    if ask and is_asked():
        with suppress(click.Abort):
            return choose_several("Which transports, the most urgent first?", holding)
    raise click.UsageError(f"which transport? Allowed: {', '.join(holding)}, or --all")


def _matching(application: Application, pattern: str) -> Iterator[str]:
    if pattern in application.transport_names:
        if _is_sync(application, pattern):
            raise click.UsageError(
                f"the transport {pattern!r} is sync://: its messages are handled where they are dispatched, so there "
                "is nothing to consume; name another transport"
            )
        yield pattern
        return
    try:
        matches = re.compile(pattern).fullmatch
    except re.error:
        raise _unknown(application, pattern) from None
    matching = [name for name in application.transport_names if matches(name)]
    found = [name for name in matching if not _is_sync(application, name)]
    if matching and not found:
        raise click.UsageError(
            f"{pattern!r} matches {', '.join(matching)}, which is sync://: there is nothing to consume"
        )
    if not found:
        raise _unknown(application, pattern)
    yield from found


def _is_sync(application: Application, name: str) -> bool:
    return application.transport_config(name).dsn.startswith("sync:")


def _unknown(application: Application, name: str) -> click.UsageError:
    return click.UsageError(f"no transport is called {name!r}; allowed: {', '.join(application.transport_names)}")
