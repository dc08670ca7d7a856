"""Fuzz targets of what comes from outside besides messages: the control plane's values, log lines, arguments."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any
from unittest.mock import patch

import click
import msgspec

from messenger.cli import main
from messenger.cli.common import print_json, print_table
from messenger.cli.terminal import say
from messenger.control.gate import Gate
from messenger.control.values import (
    LONGEST,
    Pause,
    Reply,
    Unreadable,
    WorkerInfo,
    decode,
    decode_counter,
    decode_name,
    decode_pause,
    decode_worker,
    shown,
)
from messenger.printable import LineFormatter

NOW = 1_795_931_902_000  # ms
CODES = {0, 1, 64, 78}
_RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ERROR ")


def check_control(data: bytes) -> None:
    """An id and a value, separated by NUL: what is read of them can be shown, and nothing else comes of it."""
    name, _, value = data.partition(b"\0")
    _read(lambda: decode_name(name))
    assert shown(name).isprintable()
    worker = _read(lambda: decode_worker(name, value, float(NOW), NOW))
    if isinstance(worker, WorkerInfo):
        _show_worker(worker)
    for found in (
        _read(lambda: decode_pause(value, NOW)),
        _read(lambda: decode_counter(value, NOW)),
        _read(lambda: decode(Reply, value)),
    ):
        if isinstance(found, int):
            assert 0 <= found <= NOW
        elif isinstance(found, Pause):
            assert found.since * 1000 <= NOW + 60_000
        _show(found)


def _read(read: Callable[[], object]) -> object:
    try:
        return read()
    except Unreadable as error:
        why = str(error)
    assert why, "no reason"
    assert why.isprintable(), f"{why!r} is no printable line"
    assert len(why) <= LONGEST
    return None


def _show(found: object) -> None:
    with _captured() as output:
        say(found)
        print_json(msgspec.to_builtins(found))
    line, document = output.getvalue().split("\n", 1)
    assert line.isprintable()
    json.loads(document, parse_constant=lambda name: _fail(f"{name} is no JSON"))


def _show_worker(worker: WorkerInfo) -> None:
    _show(worker)
    gate = Gate(None, None, "r", None, 0)  # type: ignore[arg-type]
    for text in (gate._problem(worker), gate._failures([worker])):
        with _captured() as output:
            say(text)
        assert output.getvalue()[:-1].isprintable()
    with _captured() as output:
        print_table(("A", "B"), [(worker.host, worker.state), (worker.id, worker.uptime_seconds)])
    assert output.getvalue().count("\n") == 3


def check_log(data: bytes) -> None:
    """A text: as a message, as its argument, as the text of an exception and as a note on it."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        try:
            raise ValueError(text)
        except ValueError as cause:
            cause.add_note(text)
            raise ExceptionGroup(text or "-", [cause, KeyError(text)]) from cause
    except ExceptionGroup as error:
        trace = (type(error), error, error.__traceback__)
    for message, arguments in ((text.replace("%", "%%"), ()), ("type=%s", (text,)), ("%r", (text,))):
        record = logging.LogRecord("t", logging.ERROR, "f", 1, message, arguments, trace)
        first, *others = LineFormatter().format(record).split("\n")
        assert _RECORD.match(first)
        assert all(line.isprintable() and len(line) < 10_000 for line in (first, *others))
        assert all(line.startswith("  ") for line in others)


def check_arguments(data: bytes) -> None:
    """The words of a command line, separated by NUL: an exit code of ours, one line of error, and nothing runs."""
    words = [word.decode("utf-8", "surrogateescape") for word in data.split(b"\0")]
    path = list(sys.path)
    with patch.object(click.Command, "invoke", lambda *_: 0), _captured() as output:
        code: object = None
        try:
            main(words)
        except SystemExit as ending:
            code = ending.code
        finally:
            sys.path[:] = path
    assert code in CODES, f"exit code {code!r}"
    assert all(line.isprintable() for line in output.getvalue().split("\n")), output.getvalue()
    assert len(re.findall("^Error: ", output.getvalue(), re.MULTILINE)) <= 1


@contextmanager
def _captured() -> Iterator[io.StringIO]:
    """What is written to stdout and stderr meanwhile, as text."""
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "utf-8", "strict", write_through=True)
    output = io.StringIO()
    with redirect_stdout(stream), redirect_stderr(stream):
        yield output
    output.write(written.getvalue().decode())


def _fail(text: str) -> Any:
    raise AssertionError(text)
