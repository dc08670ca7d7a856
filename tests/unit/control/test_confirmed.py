"""Workers of the registry that have a process on this host."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from messenger.control.confirmed import Confirmed, SupervisedPids
from messenger.control.plane import DETACHED, WorkerInfo
from messenger.control.processes import is_running, start_ticks
from tests.support.worker_info import entry

OWN = os.getpid()


def worker(pid: int, started: int, host: str = "here", **more: Any) -> WorkerInfo:
    own = {"id": f"{host}-{pid}-{started}", "host": host, "pid": pid, "start_ticks": started}
    return entry(**(own | more))


@pytest.fixture
def told() -> Iterator[tuple[int, SupervisedPids]]:
    """Where pids are written, and what reads them."""
    reader, writer = os.pipe()
    yield writer, SupervisedPids(reader)
    os.close(reader)


def test_a_process_is_known_by_its_pid_and_its_start() -> None:
    assert start_ticks(OWN) > 0
    assert is_running(OWN, start_ticks(OWN))
    assert not is_running(OWN, start_ticks(OWN) + 1)
    assert not is_running(OWN, 0)
    assert not is_running(2**22, 1)
    assert not is_running(2**31, 1)
    assert not is_running(0, 0)
    assert not is_running(1, 0)


def test_a_process_that_has_ended_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = start_ticks(process.pid)
    assert is_running(process.pid, started)
    process.communicate(b"\n")
    assert not is_running(process.pid, started)


def test_workers_of_other_hosts_cannot_be_confirmed_and_are_believed() -> None:
    there, gone, other = worker(OWN, start_ticks(OWN)), worker(2**22, 1), worker(2**22, 1, "there")
    assert Confirmed("here").of([there, gone, other]) == [there, other]


def test_only_what_supervisor_runs_is_believed(told: tuple[int, SupervisedPids]) -> None:
    writer, supervised = told
    by_hand = worker(OWN, start_ticks(OWN))
    behind = worker(OWN, start_ticks(OWN), front=77)
    detached = worker(OWN, start_ticks(OWN), state=DETACHED)
    confirmed = Confirmed("here", supervised)
    os.write(writer, b"5 77\n")
    assert confirmed.of([by_hand, behind, detached]) == [behind, detached]
    os.write(writer, f"6\n{OWN} 8\n9".encode())
    assert confirmed.of([by_hand, behind]) == [by_hand, behind], "the newest whole line counts"
    os.close(writer)
    assert confirmed.of([by_hand]) == [by_hand]


@pytest.mark.parametrize("said", [b"", b"no pids\n", b"\xff\xfe \xb2\n", b"-1 0x5 1e3\n"])
def test_what_is_no_pid_confirms_nothing(told: tuple[int, SupervisedPids], said: bytes) -> None:
    writer, supervised = told
    os.write(writer, said)
    os.close(writer)
    assert supervised.now() == frozenset()
