"""The limiter inside one process, and how messenger.yaml makes limiters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.application import Application
from messenger.rate_limit.in_process import InProcessRateLimiter
from messenger.rate_limit.in_redis import RedisRateLimiter
from messenger.rate_limit.limiter import Rate
from tests.unit.test_imports import modules_after

STEPS = st.lists(st.tuples(st.sampled_from(["take", "give back", "wait"]), st.integers(0, 50)), max_size=60)


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(limit=st.sampled_from([1, 2, 4, 8]), burst=st.integers(1, 4), steps=STEPS)
def test_in_no_window_are_more_tokens_used_than_limit_and_burst_allow(
    limit: int, burst: int, steps: list[tuple[str, int]]
) -> None:
    clock = FakeClock()
    limiter = InProcessRateLimiter(Rate(limit, 1.0, burst), clock=clock)
    used: list[float] = []
    can_give_back = False
    for step, size in steps:
        if step == "wait":
            clock.now += size / 64  # exact in binary, so that no rounding decides
        elif step == "give back" and can_give_back:
            limiter.give_back("")
            used.pop()
            can_give_back = False
        elif step == "take" and limiter.acquire("") == 0.0:
            used.append(clock.now)
            can_give_back = True
    for start in used:
        assert sum(start <= moment < start + 1.0 for moment in used) <= limit + burst - 1


def test_tokens_come_evenly_and_a_refusal_says_when() -> None:
    clock = FakeClock()
    limiter = InProcessRateLimiter(Rate(4, 1.0, burst=2), clock=clock)
    assert [limiter.acquire("") for _ in range(3)] == [0.0, 0.0, 0.25]
    clock.now += 0.25
    assert [limiter.acquire("") for _ in range(2)] == [0.0, 0.25]
    assert limiter.acquire("other") == 0.0


def test_a_token_given_back_is_there_again() -> None:
    limiter = InProcessRateLimiter(Rate(4, 1.0), clock=FakeClock())
    assert limiter.acquire("") == 0.0
    limiter.give_back("")
    assert [limiter.acquire("") for _ in range(2)] == [0.0, 0.25]
    limiter.give_back("other")
    assert limiter.acquire("other") == 0.0


def test_those_who_are_refused_are_told_different_times_up_to_a_minute() -> None:
    limiter = InProcessRateLimiter(Rate(1, 25.0), in_turn=True, clock=FakeClock())
    assert [limiter.acquire("a") for _ in range(5)] == [0.0, 25.0, 50.0, 60.0, 60.0]


def test_no_turn_is_left_unused_by_those_who_come_a_little_late() -> None:
    """Each comes back some milliseconds after its turn, so that the next one may be too early by as much."""
    clock = FakeClock()
    limiter = InProcessRateLimiter(Rate(1, 1.0), in_turn=True, clock=clock)
    late = cycle([0.009, 0.002, 0.005, 0.001])
    waiting, taken = [(clock.now, limiter.acquire) for _ in range(20)], []
    while waiting:
        waiting.sort(key=lambda each: each[0])
        due, ask = waiting.pop(0)
        clock.now = max(clock.now, due + next(late))
        wait = ask("a")
        if wait == 0.0:
            taken.append(clock.now)
        else:
            waiting.append((clock.now + wait, limiter.acquire_in_turn))
    assert taken[-1] - taken[0] < 20, "19 intervals, and the milliseconds"


def test_keys_whose_tokens_are_all_back_are_forgotten() -> None:
    clock = FakeClock()
    limiter = InProcessRateLimiter(Rate(1, 1.0), clock=clock)
    for number in range(3000):
        assert limiter.acquire(str(number)) == 0.0
        clock.now += 0.01
    assert len(limiter._buckets) <= 1001


# --- from messenger.yaml ------------------------------------------------------------------------------------------

YAML = """
messenger:
  name: shop
  failure_transport: ~
  transports:
    sms: {dsn: 'in-memory://', rate_limiter: sms}
    mail: {dsn: 'in-memory://', rate_limiter: per_recipient}
    other: 'in-memory://'
  rate_limiters:
    sms: {limit: 10}
    per_recipient: {limit: 1, interval: 60, burst: 3, key: to}
"""


@dataclass
class Mail:
    to: str | None


def load(directory: Path, text: str) -> Application:
    path = directory / "messenger.yaml"
    path.write_text(text)
    return Application.load(path, {})


def test_without_redis_each_process_counts_and_a_note_says_so(tmp_path: Path) -> None:
    application = load(tmp_path, YAML)
    assert application.notes == ["no Redis is named ('control'): rate_limiters count in each worker process for itself"]
    sms = application.rate_limiter("sms")
    assert sms is not None
    assert isinstance(sms.limiter, InProcessRateLimiter)
    assert (sms.name, sms.key_of(Mail("a"))) == ("sms", "")
    assert application.rate_limiter("other") is None


def test_the_key_is_the_text_of_a_field(tmp_path: Path) -> None:
    limiter = load(tmp_path, YAML).rate_limiter("mail")
    assert limiter is not None
    assert [limiter.key_of(message) for message in (Mail("a@b"), Mail(None), object())] == ["a@b", "", ""]


def test_with_redis_the_fleet_counts_in_it(tmp_path: Path) -> None:
    application = load(tmp_path, YAML + "  control: 'redis://127.0.0.1:1'\n")
    assert application.notes == []
    sms = application.rate_limiter("sms")
    assert sms is not None
    assert isinstance(sms.limiter, RedisRateLimiter)
    application.close()


OWN = """
class Mine:
    asked = []
    def acquire(self, key):
        self.asked.append(key)
        return 0.0
    def give_back(self, key):
        self.asked.append(-1)
"""


def test_a_limiter_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_limits.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    limiters = "rate_limiters: {own: {service: own_limits.Mine, key: to}}"
    text = f"messenger: {{failure_transport: ~, transports: {{a: {{dsn: 'sync://', rate_limiter: own}}}}, {limiters}}}"
    application = load(tmp_path, text)
    assert application.notes == []
    own = application.rate_limiter("a")
    assert own is not None
    assert own.limiter.acquire(own.key_of(Mail("a@b"))) == 0.0
    assert own.limiter.asked == ["a@b"]  # type: ignore[attr-defined]
    application.close()


def test_nothing_is_imported_when_nothing_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "messenger.yaml"
    path.write_text("messenger: {failure_transport: ~, transports: {a: 'sync://'}}")
    code = f"from messenger import Application; app = Application.load({str(path)!r}); app.rate_limiter('a')"
    assert "messenger.rate_limit" not in modules_after(code)
