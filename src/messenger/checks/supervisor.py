"""Supervisor's settings of the workers against what their handlers need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from messenger.application import Application
from messenger.checks.finding import Finding, Place
from messenger.checks.supervisor_conf import ConfUnreadable, Program, read_programs
from messenger.handling.registry import ANY_MESSAGE, Handler

# For what comes after the handler: the store confirms, connections are closed.
_MARGIN_SECONDS = 5
Options = Mapping[str, Any]
ReadOptions = Callable[[Sequence[str]], Options]
_GRACEFUL = ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2")


def check_supervisor(application: Application, path: Path, read_options: ReadOptions) -> Iterator[Finding]:
    """Check the programs that run workers.

    Args:
        application: The application.
        path: A file with [program:] sections, or that includes some.
        read_options: Parses the arguments of `messenger consume`. Raises click.ClickException.
    """
    place = Place("supervisor", str(path))
    try:
        programs = read_programs(path)
    except ConfUnreadable as error:
        yield place.fail(str(error), error.change)
        return
    if not programs:
        yield place.warn("no program in it runs `messenger consume`", "--supervisor-conf with the file that has them")
    for program in programs:
        where = f"{program.file} [program:{program.name}]"
        yield from _check_program(application, Place("supervisor", where), program, read_options)


def _check_program(
    application: Application, place: Place, program: Program, read_options: ReadOptions
) -> Iterator[Finding]:
    problems = [*_check_life(place, program)]
    try:
        options = read_options(program.arguments)
    except click.ClickException as error:
        yield from problems
        yield place.fail(f"its command ends with wrong usage: {error.format_message()}", "messenger consume --help")
        return
    names = options["transports"] or application.transport_names
    unknown = [name for name in names if name not in application.transport_names]
    if unknown:
        known = ", ".join(application.transport_names)
        problems.append(place.fail(f"it consumes {unknown[0]!r}, which is no transport", f"one of {known}"))
    deadline: float | None = options["stop_deadline"]
    longest = longest_message(application, names)
    problems += _check_start(place, program, options["min_uptime"])
    problems += _check_stop(place, program, deadline)
    problems += _check_time(place.where, program, deadline, longest)
    problems += _check_detach_log(place, options["detach_log"])
    yield from problems
    if not problems:
        yield place.ok(_summary(program, deadline, longest))


def _check_life(place: Place, program: Program) -> Iterator[Finding]:
    expected = program.autorestart == "unexpected" and 0 in program.exitcodes
    if expected or program.autorestart in ("false", "no", "off", "0"):
        yield place.fail(
            f"autorestart is {program.autorestart}: a worker that left by a limit or by stop-workers stays away",
            "autorestart=true",
        )
    if program.stopsignal not in _GRACEFUL:
        yield place.fail(
            f"stopsignal {program.stopsignal} ends a worker in the middle of its message", "stopsignal=TERM"
        )
    if program.behind_shell and not program.stopasgroup:
        yield place.fail(
            "the stop signal goes to a shell, and the worker never sees it", "`exec messenger consume …` as the command"
        )
    if not program.killasgroup:
        yield place.warn(
            "killasgroup is not set: what a handler has started outlives a killed worker", "killasgroup=true"
        )


def _check_start(place: Place, program: Program, min_uptime: float) -> Iterator[Finding]:
    if program.startsecs == 0:
        yield place.warn(
            "startsecs is 0: a worker that cannot start is started again without pause or limit, and shown as RUNNING",
            "startsecs=5, and --min-uptime 6 in its command",
        )
    elif min_uptime <= program.startsecs:
        yield place.warn(
            f"--min-uptime is {min_uptime:g} and startsecs {program.startsecs}: a worker that leaves sooner, by a "
            "limit or by stop-workers, counts as a failed start",
            f"--min-uptime {program.startsecs + 1}",
        )


def _check_stop(place: Place, program: Program, deadline: float | None) -> Iterator[Finding]:
    if deadline is not None and deadline >= program.stopwaitsecs:
        yield place.warn(
            f"--stop-deadline is {deadline:g} and stopwaitsecs {program.stopwaitsecs}: the worker is killed before it "
            "can hand its message back",
            f"--stop-deadline {max(1, program.stopwaitsecs - _MARGIN_SECONDS)}",
        )


def _check_time(where: str, program: Program, deadline: float | None, longest: float | None) -> Iterator[Finding]:
    """Check that a handler that begins just before a stop has time to finish."""
    place = Place("supervisor-stop-time", where)
    if longest is None:
        return
    enough = int(longest) + 2 * _MARGIN_SECONDS
    if deadline is not None and deadline < program.stopwaitsecs:
        if deadline < longest:
            yield place.warn(
                f"--stop-deadline is {deadline:g} and handlers may take {longest:g} s: at a stop they are ended in the "
                "middle of a message, which is then handled again",
                f"--stop-deadline {enough - _MARGIN_SECONDS}, and stopwaitsecs={enough}",
            )
    elif program.stopwaitsecs <= longest + _MARGIN_SECONDS:
        yield place.warn(
            f"stopwaitsecs is {program.stopwaitsecs} and handlers may take {longest:g} s: Supervisor kills a worker in "
            "the middle of its message, which is then handled again",
            f"stopwaitsecs={enough}",
        )


def _check_detach_log(place: Place, file: str | None) -> Iterator[Finding]:
    """Check that a detached worker of the current user could write the file."""
    if file is None:
        return
    directory = Path(file).absolute().parent
    if not directory.exists():  # the worker makes it
        directory = directory.parent
    if not os.access(directory, os.W_OK | os.X_OK):
        yield place.warn(
            f"--detach-log: this user cannot write in {directory}: a worker that cannot either does not go on in the "
            "background, and a deploy waits for it",
            f"have {directory} belong to the user of the workers",
        )


def _summary(program: Program, deadline: float | None, longest: float | None) -> str:
    text = f"stopwaitsecs is {program.stopwaitsecs}, startsecs {program.startsecs}"
    if longest is not None:
        return f"{text}, and handlers take at most {longest:g} s"
    if deadline is not None:
        return f"{text}; not every handler has a timeout, and one that takes longer than --stop-deadline is ended then"
    return f"{text}; not every handler has a timeout, so what takes longer than stopwaitsecs is killed at a stop"


def longest_message(application: Application, transports: Sequence[str]) -> float | None:
    """Return the seconds that the slowest message of these transports may take by the timeouts of its handlers.

    The handlers of a message run one after the other. None: a handler has no timeout, or no message class is known to
    come here.
    """
    wanted = set(transports) | {name for name, target in application.failure_transports.items() if target in transports}
    longest = 0.0
    for cls in application.messages.classes:
        sources = set(application.router.for_class(cls)) & wanted
        if not sources:
            continue
        timeouts = [handler_timeout(application, item) for item in _handlers(application, cls, sources)]
        if None in timeouts:
            return None
        longest = max(longest, sum(seconds or 0.0 for seconds in timeouts))
    return longest or None


def handler_timeout(application: Application, item: Handler) -> float | None:
    """Seconds a handler may run: its own `timeout`, else `handler_timeout` of messenger.yaml."""
    own = item.options.timeout
    return own if own is not None else application.config.handler_timeout


def _handlers(application: Application, cls: type, transports: Iterable[str]) -> list[Handler]:
    return [
        item
        for item in application.handlers.handlers
        if any(handled == ANY_MESSAGE or handled in cls.__mro__ for handled in item.options.handles)
        and item.options.from_transport in (None, *transports)
    ]
