"""The gate of a deploy, on a registry that changes while it looks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest

from messenger import TransportUnavailable
from messenger.control.gate import Gate
from messenger.control.plane import Control, WorkerInfo
from tests.support.worker_info import entry

Look = Callable[[int], list[WorkerInfo]]


class Registry:
    """What the gate sees, by how often it has looked."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._times = itertools.count()
        self.looks = 0

    def workers(self, host: str | None = None) -> list[WorkerInfo]:
        self.looks += 1
        return self._look(next(self._times))


def worker(name: str = "w", release: str = "r2", state: str = "idle", **more: Any) -> WorkerInfo:
    return entry(**({"id": name, "release": release, "state": state} | more))


def problems(
    look: Look, *, count: int | None = 1, timeout: float = 0.0, stable: float = 0.0, max_failures: int | None = None
) -> list[str]:
    registry = Registry(look)
    found = Gate(cast("Control", registry), "here", "r2", count, max_failures).wait(timeout, stable)[1]
    assert registry.looks > 0
    return found


def test_it_opens_at_once_when_all_is_well() -> None:
    assert problems(lambda _: [worker()]) == []
    assert problems(lambda _: [worker("a"), worker("b", state="busy")], count=2) == []


def test_it_waits_until_all_is_well() -> None:
    assert problems(lambda n: [worker(release="r1" if n == 0 else "r2")], timeout=20) == []


def test_workers_that_are_started_again_and_again_do_not_pass() -> None:
    (problem,) = problems(lambda n: [worker(f"w{n}")], timeout=0.3, stable=0.4)
    assert "did not stay" in problem


def test_workers_that_stay_do() -> None:
    assert problems(lambda n: [worker("w0" if n == 0 else "w1")], timeout=20, stable=0.3) == []


def test_workers_that_have_run_for_longer_need_no_waiting() -> None:
    long = worker("a", uptime_seconds=600.0, seen_seconds=0.5)
    assert problems(lambda _: [long], stable=300) == []
    silent = worker("a", uptime_seconds=600.0, seen_seconds=9.0)
    restarted = worker("b", uptime_seconds=600.0)
    for look in (lambda n: [worker("a") if n < 2 else worker("b")], lambda n: [silent] if n < 2 else [restarted]):
        registry = Registry(look)
        assert Gate(cast("Control", registry), "here", "r2", 1).wait(20, 1.0)[1] == []
        assert registry.looks > 2


def test_the_time_since_a_report_is_time_run_up_to_the_next_report() -> None:
    for uptime, seen, passes in ((299.2, 0.9, True), (299.2, 0.5, False), (298.2, 2.5, False)):
        young = worker("a", uptime_seconds=uptime, seen_seconds=seen)
        registry = Registry(lambda n, young=young: [young] if n < 2 else [worker("b", uptime_seconds=600.0)])  # type: ignore[misc]
        assert Gate(cast("Control", registry), "here", "r2", 1).wait(20, 300)[1] == []
        assert registry.looks == (1 if passes else 3)


def test_no_workers_where_none_are_wanted_pass_at_once() -> None:
    assert problems(lambda _: [], count=0, stable=300) == []


@pytest.mark.parametrize("state", ["starting", "waiting", "stopping", "broken"])
def test_a_worker_that_does_not_work_is_named(state: str) -> None:
    waiting_for = "redis at h:1" if state == "waiting" else None
    (problem,) = problems(lambda _: [worker(state=state, waiting_for=waiting_for)])
    assert problem == f"w is {state}" + (" for redis at h:1" if waiting_for else "")


def test_a_redis_that_is_away_is_a_problem_and_not_the_end() -> None:
    def away(times: int) -> list[WorkerInfo]:
        if times == 0:
            raise TransportUnavailable("redis at h:1 (db 0): away")
        return [worker()]

    assert problems(away) == ["redis at h:1 (db 0): away"]
    assert problems(away, timeout=20) == []


def test_more_failures_than_allowed_shut_it_without_waiting() -> None:
    workers = [worker("a", failed_last_minute=2), worker("b", failed_last_minute=1)]
    assert problems(lambda _: workers, count=2, max_failures=3) == []
    assert problems(lambda _: workers, count=2) == [], "nobody said how many"
    (problem,) = problems(lambda _: workers, count=2, timeout=3600, stable=3600, max_failures=2)
    assert problem == "3 attempts failed in the last minute, 2 may: 2 in a, 1 in b"


def test_failures_of_older_workers_do_not_count() -> None:
    older = worker("old", release="r1", failed_last_minute=9)
    assert problems(lambda n: [worker(), older] if n == 0 else [worker()], timeout=20, max_failures=0) == []


def test_those_that_finish_in_the_background_do_not_count() -> None:
    left = worker("old", release="r1", state="detached", failed_last_minute=9)
    same = worker("same", state="detached", failed_last_minute=9)
    assert problems(lambda _: [worker(), left, same], max_failures=0) == []
    assert problems(lambda n: [worker(), left] if n == 0 else [worker()], timeout=20, stable=0.3) == []
    assert problems(lambda _: [left]) == ["1 workers wanted on here, 0 there"]
    gate = Gate(cast("Control", Registry(lambda _: [worker(), left])), "here", "r2", 1)
    assert [[found.id for found in workers] for workers in (gate.wait(0, 0)[0], gate.detached)] == [["w"], ["old"]]
