"""How `messenger consume` refuses: the exit code and one line that says what is allowed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from messenger.cli import main
from messenger.cli.consume import consume
from messenger.worker.log_lines import WorkerLogger

YAML = """
messenger:
  failure_transport: failed
  transports: {async: 'redis://127.0.0.1:1', high: 'redis://127.0.0.1:1/high', failed: 'in-memory://'}
"""


def refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """The exit code and what was written to stderr."""
    with pytest.raises(SystemExit) as caught:
        main(["consume", *arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    return caught.value.code, captured.err


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A worker's process has the loggers of this package for itself; this one has not."""
    last_resort, level = logging.lastResort, logging.getLogger().level
    yield
    logging.lastResort = last_resort
    logging.getLogger().setLevel(level)
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if type(logger) is WorkerLogger:
            object.__setattr__(logger, "__class__", logging.Logger)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SUPERVISOR_ENABLED", raising=False)
    monkeypatch.delenv("MESSENGER_CONFIG", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "messenger.yaml").write_text(YAML)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("async", "--limit", "0"), "--limit"),
        (("async", "--limit", "-1"), "--limit"),
        (("async", "--limit", "many"), "'many' is not a valid integer"),
        (("async", "--failure-limit", "0"), "--failure-limit"),
        (("async", "--memory-limit", "lots"), "such as 128M"),
        (("async", "--time-limit", "0"), "--time-limit"),
        (("async", "--sleep", "-1"), "--sleep"),
        (("async", "--nonsense"), "No such option"),
        (("nowhere",), "no transport is called 'nowhere'; allowed: async, high, failed"),
        ((), "which transport? Allowed: async, high, failed, or --all"),
        (("failed", "--queues", "q", "--stop-when-empty"), "it does not go with --queues"),
        (("async", "--all"), "give transports or --all, not both"),
        (("async", "--queues", "q"), "the transport 'async' has no queues"),
    ],
)
def test_wrong_usage_is_code_64(arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, stderr = refused(arguments, capsys)
    assert code == 64
    assert text in stderr


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [((), None), (("--keepalive",), 5), (("--keepalive", "2"), 2), (("--keepalive=0.5",), 0.5)],
)
def test_keepalive_takes_a_number_or_none_as_in_symfony(arguments: tuple[str, ...], seconds: float | None) -> None:
    assert consume.make_context("consume", ["async", *arguments]).params["keepalive"] == seconds


BROKEN = {
    "no map": ("- a\n", "found no map"),
    "a module that is not there": ("messenger: {handlers: [nowhere.handlers]}", "cannot import 'nowhere.handlers'"),
    "a DSN that is none": ("messenger: {transports: {async: 'redis://h:x'}}", "not a DSN"),
    "a failure transport that cannot be": (
        "messenger: {failure_transport: f, transports: {async: 'redis://h', f: 'doctrine://nowhere'}}",
        "no database connection 'nowhere'",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_loaded_is_code_78_and_one_line(
    here: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text, error = BROKEN[case]
    (here / "messenger.yaml").write_text(text)
    code, stderr = refused(("async",), capsys)
    (line,) = [line for line in stderr.splitlines() if "WARNING" not in line]
    assert code == 78
    assert line.startswith(f"messenger: {here / 'messenger.yaml'}: ")
    assert error in line


def test_no_file_at_all_says_where_it_looked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "messenger.yaml").unlink()
    code, stderr = refused(("async",), capsys)
    assert code == 78
    where = f"messenger: no messenger.yaml in {here}: go to the application's directory"
    assert stderr == f"{where}, or name the file with --config FILE\n"
