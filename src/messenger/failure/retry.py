"""Retry strategies: whether and when a failed message is retried."""

from __future__ import annotations

import inspect
import logging
import math
import random
from dataclasses import dataclass, field
from operator import index
from typing import Protocol, cast

from messenger.config.importing import import_name, make
from messenger.config.model import RetryStrategyConfig
from messenger.envelope import AnyEnvelope
from messenger.errors import ConfigError, RecoverableError, UnrecoverableError, as_failure, causes
from messenger.printable import SHORT, printable_line, text_of
from messenger.stamps import LONGEST_DELAY, RedeliveryStamp

log = logging.getLogger(__name__)


class RetryStrategy(Protocol):
    """Decides on the retries of one transport's messages.

    When a strategy raises or returns a value of another type, the default strategy decides for that message, and the
    log has a line `retry_strategy_failed`.
    """

    def is_retryable(self, envelope: AnyEnvelope, error: Exception) -> bool:
        """Return True to retry the message. Called only for errors that do not decide it themselves.

        Args:
            envelope: The message.
            error: What was raised.
        """
        ...

    def waiting_time(self, envelope: AnyEnvelope, error: Exception) -> int:
        """Return the milliseconds until the next attempt, a whole number of 0 or more.

        Args:
            envelope: The message.
            error: What was raised.
        """
        ...


@dataclass(frozen=True, slots=True)
class MultiplierRetryStrategy:
    """Waits longer each time: delay * multiplier ** retries, plus or minus a random part of it.

    Attributes:
        max_retries: Attempts after the first one.
        delay: Milliseconds until the first retry.
        multiplier: Factor from one delay to the next, at least 1.
        max_delay: Upper limit in milliseconds; 0 means no limit.
        jitter: Largest random part, 0 to 1.
        random: Source of the random numbers.
    """

    max_retries: int = 3
    delay: int = 1000
    multiplier: float = 2
    max_delay: int = 0
    jitter: float = 0.1
    random: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def is_retryable(self, envelope: AnyEnvelope, error: Exception) -> bool:
        """Return True until max_retries is reached."""
        return retry_count(envelope) < self.max_retries

    def waiting_time(self, envelope: AnyEnvelope, error: Exception) -> int:
        """Return milliseconds, limited by max_delay and rounded up."""
        delay = self.delay * self._growth(retry_count(envelope))
        delay += self.random.uniform(-1, 1) * delay * self.jitter
        if self.max_delay:
            delay = min(delay, self.max_delay)
        return _bounded(delay)

    def _growth(self, retries: int) -> float:
        try:
            return float(self.multiplier) ** retries  # a float overflows; an int would grow for hours
        except OverflowError:
            return float(LONGEST_DELAY)


class CheckedRetryStrategy:
    """A strategy of the application, replaced by the default one where its answer cannot be used."""

    def __init__(self, strategy: RetryStrategy, name: str) -> None:
        """Wrap a strategy.

        Args:
            strategy: The strategy.
            name: Its name in messenger.yaml, for the log.
        """
        self._strategy = strategy
        self._name = name
        self._default = MultiplierRetryStrategy()

    def is_retryable(self, envelope: AnyEnvelope, error: Exception) -> bool:
        """See RetryStrategy."""
        try:
            answer = self._strategy.is_retryable(envelope, error)
        except BaseException as failure:
            self._log_raised("is_retryable", failure)
            return self._default.is_retryable(envelope, error)
        if isinstance(answer, bool):
            return answer
        self._log(f"is_retryable returned {_described(answer)}; allowed: True or False")
        return self._default.is_retryable(envelope, error)

    def waiting_time(self, envelope: AnyEnvelope, error: Exception) -> int:
        """See RetryStrategy."""
        try:
            answer = self._strategy.waiting_time(envelope, error)
        except BaseException as failure:
            self._log_raised("waiting_time", failure)
            return self._default.waiting_time(envelope, error)
        if isinstance(answer, int) and not isinstance(answer, bool) and index(answer) >= 0:
            return index(answer)
        self._log(f"waiting_time returned {_described(answer)}; allowed: milliseconds, a whole number from 0")
        return self._default.waiting_time(envelope, error)

    def _log_raised(self, method: str, failure: BaseException) -> None:
        as_failure(failure, method)  # Ctrl-C goes on
        self._log(f"{method} raised {type(failure).__name__}: {text_of(failure)}")

    def _log(self, what: str) -> None:
        log.error("retry_strategy_failed %s: %s: the default strategy decides", self._name, printable_line(what, SHORT))


def _described(answer: object) -> str:
    if inspect.iscoroutine(answer):
        answer.close()
        return "a coroutine"
    try:
        return repr(answer)
    except BaseException:
        return f"a {type(answer).__name__}"


def make_retry_strategy(config: RetryStrategyConfig, where: str) -> RetryStrategy:
    """Create the strategy that messenger.yaml describes, or the application's own that `service` names.

    Args:
        config: The section `retry_strategy`.
        where: File and key, for errors.

    Raises:
        ConfigError: `service` cannot be imported, or is not a retry strategy.
    """
    if config.service is None:
        return MultiplierRetryStrategy(
            config.max_retries, config.delay, config.multiplier, config.max_delay, config.jitter
        )
    found = import_name(config.service, where)
    strategy = make(found, (), config.service, where) if inspect.isclass(found) else found
    if not all(callable(getattr(strategy, name, None)) for name in ("is_retryable", "waiting_time")):
        raise ConfigError(
            f"{where}: {config.service!r} is no retry strategy: it needs is_retryable(envelope, error) and "
            "waiting_time(envelope, error)"
        )
    return CheckedRetryStrategy(cast(RetryStrategy, strategy), config.service)


def retry_count(envelope: AnyEnvelope) -> int:
    """Return how often a message has been retried, from its newest RedeliveryStamp."""
    stamp = envelope.last(RedeliveryStamp)
    return stamp.retry_count if stamp is not None else 0


def should_retry(envelope: AnyEnvelope, error: Exception, strategy: RetryStrategy) -> bool:
    """Return True when a message is to be retried.

    Recoverable errors are always retried, unrecoverable ones never; the strategy decides on others. When several
    handlers failed, one recoverable error is enough to retry, and only if all are unrecoverable there is no retry.
    """
    found = causes(error)
    if any(isinstance(cause, RecoverableError) for cause in found):
        return True
    if all(isinstance(cause, UnrecoverableError) for cause in found):
        return False
    return strategy.is_retryable(envelope, error)


def retry_delay(envelope: AnyEnvelope, error: Exception, strategy: RetryStrategy) -> int:
    """Return the milliseconds until the next attempt: from the error if it has a delay, else from the strategy."""
    for cause in causes(error):
        if isinstance(cause, RecoverableError) and isinstance(cause.retry_delay, int | float):
            return _bounded(cause.retry_delay)
    return _bounded(strategy.waiting_time(envelope, error))


def _bounded(delay: float) -> int:
    exact = index(delay) if isinstance(delay, int) else float.__float__(delay)  # whatever a class of its own does
    return math.ceil(min(max(0, exact), LONGEST_DELAY))
