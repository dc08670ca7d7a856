"""When a failed message is tried again, and after what delay."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger import Envelope, HandlerFailed, RecoverableError, UnrecoverableError
from messenger.envelope import AnyEnvelope
from messenger.failure.retry import (
    CheckedRetryStrategy,
    MultiplierRetryStrategy,
    retry_count,
    retry_delay,
    should_retry,
)
from messenger.stamps import RedeliveryStamp
from messenger.testing import InMemoryApplication
from messenger.wiring.failures import make_retry_strategies
from messenger.wiring.transports import transport_configs
from tests.support.application_project import MODULE, Project


@dataclass(frozen=True)
class Note:
    pass


class Fixed(random.Random):
    """Gives one end of every range, or its middle."""

    def __init__(self, where: float) -> None:
        super().__init__()
        self.where = where

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.where


LOW, MIDDLE, HIGH = Fixed(0.0), Fixed(0.5), Fixed(1.0)
ERROR = ValueError("boom")


def tried(times: int) -> AnyEnvelope:
    return Envelope(Note(), [RedeliveryStamp(times)] if times else [])


def failed(*errors: Exception) -> HandlerFailed:
    return HandlerFailed(Envelope(Note()), {f"h{i}": error for i, error in enumerate(errors)})


def test_the_last_redelivery_counts() -> None:
    assert retry_count(Envelope(Note())) == 0
    assert retry_count(Envelope(Note(), [RedeliveryStamp(5), RedeliveryStamp(2)])) == 2


def test_the_defaults_are_symfonys() -> None:
    strategy = MultiplierRetryStrategy(random=MIDDLE)
    assert [strategy.is_retryable(tried(n), ERROR) for n in range(5)] == [True, True, True, False, False]
    assert [strategy.waiting_time(tried(n), ERROR) for n in range(4)] == [1000, 2000, 4000, 8000]


@pytest.mark.parametrize(
    ("strategy", "times", "expected"),
    [
        (MultiplierRetryStrategy(multiplier=1, random=MIDDLE), 9, 1000),
        (MultiplierRetryStrategy(multiplier=1.5, random=MIDDLE), 2, 2250),
        (MultiplierRetryStrategy(delay=0, random=HIGH), 3, 0),
        (MultiplierRetryStrategy(delay=3, multiplier=1.1, jitter=0), 1, 4),
        (MultiplierRetryStrategy(max_delay=3000, random=HIGH), 2, 3000),
        (MultiplierRetryStrategy(max_delay=3000, random=MIDDLE), 1, 2000),
        (MultiplierRetryStrategy(max_delay=10, jitter=1, random=LOW), 0, 0),
        (MultiplierRetryStrategy(jitter=0.1, random=LOW), 0, 900),
        (MultiplierRetryStrategy(jitter=0.1, random=HIGH), 0, 1100),
        (MultiplierRetryStrategy(jitter=1, random=HIGH), 0, 2000),
        (MultiplierRetryStrategy(jitter=1, random=LOW), 0, 0),
        (MultiplierRetryStrategy(max_retries=10**9, random=HIGH), 10**6, 2**53),
        (MultiplierRetryStrategy(max_retries=10**9, multiplier=1e300, random=HIGH), 10**6, 2**53),
        (MultiplierRetryStrategy(max_retries=10**9, max_delay=60_000, random=HIGH), 10**6, 60_000),
    ],
)
def test_the_delay(strategy: MultiplierRetryStrategy, times: int, expected: int) -> None:
    assert strategy.waiting_time(tried(times), ERROR) == expected


@given(
    delay=st.integers(0, 10**12),
    multiplier=st.floats(1, 1e308),
    max_delay=st.integers(0, 10**12),
    jitter=st.floats(0, 1),
    times=st.integers(0, 10**6),
    seed=st.integers(),
)
def test_the_delay_is_always_a_whole_number_in_bounds(
    delay: int, multiplier: float, max_delay: int, jitter: float, times: int, seed: int
) -> None:
    strategy = MultiplierRetryStrategy(3, delay, multiplier, max_delay, jitter, random.Random(seed))
    waiting = strategy.waiting_time(tried(times), ERROR)
    assert isinstance(waiting, int)
    assert 0 <= waiting <= (max_delay or 2**53)


def test_jitter_stays_in_its_range_and_uses_it() -> None:
    strategy = MultiplierRetryStrategy(jitter=0.1, random=random.Random(1))
    drawn = [strategy.waiting_time(tried(0), ERROR) for _ in range(500)]
    assert 900 <= min(drawn) < 920
    assert 1080 < max(drawn) <= 1100


def test_no_retries_at_all() -> None:
    assert not MultiplierRetryStrategy(max_retries=0).is_retryable(tried(0), ERROR)


@pytest.mark.parametrize(
    ("error", "times", "expected"),
    [
        (ERROR, 0, True),
        (ERROR, 3, False),
        (RecoverableError(), 99, True),
        (UnrecoverableError(), 0, False),
        (failed(ERROR), 0, True),
        (failed(ERROR), 3, False),
        (failed(RecoverableError(), UnrecoverableError()), 99, True),
        (failed(UnrecoverableError(), UnrecoverableError()), 0, False),
        (failed(UnrecoverableError(), ERROR), 0, True),
        (failed(UnrecoverableError(), ERROR), 3, False),
    ],
)
def test_the_error_may_decide(error: Exception, times: int, expected: bool) -> None:
    assert should_retry(tried(times), error, MultiplierRetryStrategy()) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ERROR, 2000),
        (RecoverableError(), 2000),
        (RecoverableError(retry_delay=70), 70),
        (RecoverableError(retry_delay=0), 0),
        (RecoverableError(retry_delay=-5), 0),
        (failed(ERROR, RecoverableError(retry_delay=70)), 70),
        (failed(ERROR), 2000),
    ],
)
def test_the_error_may_carry_the_delay(error: Exception, expected: int) -> None:
    assert retry_delay(tried(1), error, MultiplierRetryStrategy(random=MIDDLE)) == expected


class Odd:
    """A strategy that answers whatever it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def is_retryable(self, *_: object) -> Any:
        return self._say()

    def waiting_time(self, *_: object) -> Any:
        return self._say()

    def _say(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


async def later() -> int:
    return 5


ODD: list[Any] = [ValueError("no"), None, "soon", 1.5, float("nan"), -1, later, object(), [1000], True]


@pytest.mark.parametrize("answer", ODD)
def test_a_strategy_without_an_answer_leaves_it_to_the_default(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    strategy = CheckedRetryStrategy(Odd(answer), "shop.Odd")
    assert 900 <= strategy.waiting_time(tried(0), ERROR) <= 1100
    assert "retry_strategy_failed shop.Odd: waiting_time r" in caplog.text
    if answer is not True:
        assert [strategy.is_retryable(tried(times), ERROR) for times in (2, 3)] == [True, False]
        assert "retry_strategy_failed shop.Odd: is_retryable r" in caplog.text


def test_one_that_answers_is_asked() -> None:
    strategy = CheckedRetryStrategy(Odd(0), "shop.Odd")
    assert strategy.waiting_time(tried(0), ERROR) == 0
    assert not CheckedRetryStrategy(Odd(False), "shop.Odd").is_retryable(tried(0), ERROR)


def test_a_service_works_in_messenger_testing(project: Project) -> None:
    module = (
        MODULE
        + """
class Never:
    def is_retryable(self, envelope, error): return False
    def waiting_time(self, envelope, error): return 0
"""
    )
    transports = "async: {dsn: 'in-memory://', retry_strategy: {service: MODULE.Never}}".replace(
        "MODULE", project.module
    )
    project.load(module=module, transports=transports).close()
    in_memory = InMemoryApplication.load(project.directory / "messenger.yaml", {})
    loaded = in_memory.application.loaded
    strategies = make_retry_strategies(loaded.path, transport_configs(loaded))
    assert not strategies["async"].is_retryable(tried(0), ERROR)


@pytest.mark.parametrize("delay", ["soon", object(), float("nan")])
def test_an_error_with_an_odd_delay_is_retried_all_the_same(delay: Any) -> None:
    waiting = retry_delay(tried(0), RecoverableError(retry_delay=delay), MultiplierRetryStrategy(random=MIDDLE))
    assert waiting in (0, 1000)


def test_an_errors_docstring_is_its_message_when_none_is_given() -> None:
    assert str(UnrecoverableError()) == "This message will never succeed: put it into the failure store now."
    assert str(UnrecoverableError("no such number")) == "no such number"


class Whole(int):
    """A whole number whose comparisons raise, as those of some libraries do."""

    def _refuse(self, other: object) -> bool:
        raise ZeroDivisionError

    __ge__ = __gt__ = __le__ = __lt__ = _refuse


class Gives:
    def __init__(self, answer: int) -> None:
        self.answer = answer

    def is_retryable(self, envelope: AnyEnvelope, error: Exception) -> bool:
        return True

    def waiting_time(self, envelope: AnyEnvelope, error: Exception) -> int:
        return self.answer


def test_a_whole_number_is_one_whatever_its_class_does() -> None:
    assert retry_delay(tried(0), ERROR, CheckedRetryStrategy(Gives(Whole(7)), "shop.Gives")) == 7
    assert retry_delay(tried(0), RecoverableError(retry_delay=Whole(8)), MultiplierRetryStrategy()) == 8
