"""An in-memory transport in a test: what was sent, what waits and what was handled."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from messenger.envelope import AnyEnvelope, Envelope
from messenger.testing.describe import field_names, listing, wanted
from messenger.testing.processing import Failure, Processing
from messenger.transports.memory import MemoryTransport
from messenger.wire.serializer import Serializer

M = TypeVar("M")


class RecordingTransport(MemoryTransport):
    """An in-memory transport that records what is sent with `send`; a retry is not sent again."""

    def __init__(self, name: str, serializer: Serializer, clock: Callable[[], float]) -> None:
        """Create it; see MemoryTransport."""
        super().__init__(name, serializer, clock=clock)
        self.dispatched: list[AnyEnvelope] = []

    def send(self, envelope: AnyEnvelope) -> AnyEnvelope:
        """See MemoryTransport."""
        sent = super().send(envelope)
        self.dispatched.append(sent)
        return sent

    def reset(self) -> None:
        """See MemoryTransport."""
        super().reset()
        self.dispatched.clear()


class AssertableTransport:
    """Assertions about one transport. Their failures list the messages that were there.

    The assertions take a message class, and values of its fields as keywords: ``assert_sent(SmsNotification,
    content="hello")``. A subclass counts as its base class. They return the envelopes they found, and raise TypeError
    when the class has no such field. Two keywords have another meaning: `times` is the exact number of messages, at
    least one without it; `where` is a function that returns True for the messages to count, for comparisons other than
    ``==`` and for fields with these two names.

    Attributes:
        name: Name of the transport.
    """

    def __init__(self, transport: RecordingTransport, processing: Processing) -> None:
        self.name = transport.name
        self._transport = transport
        self._processing = processing

    # --- what happened ---------------------------------------------------------------------------------------------

    @property
    def sent(self) -> list[AnyEnvelope]:
        """Every message that was ever sent here, oldest first. A retry is not listed again."""
        return list(self._transport.dispatched)

    @property
    def queued(self) -> list[AnyEnvelope]:
        """The messages that are here now, oldest first, including delayed ones."""
        return list(self._transport.all(sys.maxsize))

    @property
    def handled(self) -> list[AnyEnvelope]:
        """The messages that were handled with success, in that order."""
        return list(self._transport.acked)

    def reset(self) -> None:
        """Forget all messages and everything recorded."""
        self._transport.reset()

    # --- working ---------------------------------------------------------------------------------------------------

    def process(self, count: int | None = None) -> int:
        """Handle due messages as a worker would, including those that arrive during the run.

        A message that fails waits for its retry, which is due when the clock is advanced, or goes to the failure
        transport. Errors of handlers are logged, not raised.

        Args:
            count: The exact number of messages; None handles all.

        Returns:
            The number of messages, including failed ones.

        Raises:
            AssertionError: Fewer than `count` are due, or they never end.
        """
        __tracebackhide__ = True
        return self._process(count, lambda failure: None)

    def process_or_fail(self, count: int | None = None) -> int:
        """Handle due messages as `process` does, and fail at the first message that fails, after it is settled.

        Args:
            count: The exact number of messages; None handles all.

        Returns:
            The number of messages.

        Raises:
            AssertionError: A message failed, fewer than `count` are due, or they never end.
        """
        __tracebackhide__ = True

        def fail(failure: Failure) -> None:
            __tracebackhide__ = True
            raise AssertionError(f"{failure}\n{listing(f'waiting in {self.name}', self.queued)}") from failure.cause

        return self._process(count, fail)

    def _process(self, count: int | None, on_failure: Callable[[Failure], None]) -> int:
        __tracebackhide__ = True
        done = self._processing.run([self.name], count, on_failure)
        if count is not None and done < count:
            raise AssertionError(
                f"{self.name}: expected to process {count} messages, only {done} could be\n"
                f"{listing(f'waiting in {self.name}', self.queued)}"
            )
        return done

    # --- assertions ------------------------------------------------------------------------------------------------

    def assert_sent(
        self,
        message_class: type[M],
        /,
        *,
        times: int | None = None,
        where: Callable[[M], bool] | None = None,
        **fields: object,
    ) -> list[Envelope[M]]:
        """Assert that such a message was sent here; it may have been handled since."""
        __tracebackhide__ = True
        return _assert_found(f"sent to {self.name}", self.sent, message_class, times, where, fields)

    def assert_not_sent(
        self,
        message_class: type[M] | None = None,
        /,
        *,
        where: Callable[[M], bool] | None = None,
        **fields: object,
    ) -> None:
        """Assert that no such message was ever sent here; without a class, no message at all."""
        __tracebackhide__ = True
        cls: type[Any] = object if message_class is None else message_class
        _assert_found(f"sent to {self.name}", self.sent, cls, 0, where, fields)

    def assert_queued(
        self,
        message_class: type[M],
        /,
        *,
        times: int | None = None,
        where: Callable[[M], bool] | None = None,
        **fields: object,
    ) -> list[Envelope[M]]:
        """Assert that such a message is here now: due, delayed, or waiting for its retry."""
        __tracebackhide__ = True
        return _assert_found(f"waiting in {self.name}", self.queued, message_class, times, where, fields)

    def assert_handled(
        self,
        message_class: type[M],
        /,
        *,
        times: int | None = None,
        where: Callable[[M], bool] | None = None,
        **fields: object,
    ) -> list[Envelope[M]]:
        """Assert that such a message was handled with success."""
        __tracebackhide__ = True
        return _assert_found(f"handled from {self.name}", self.handled, message_class, times, where, fields)

    def assert_empty(self) -> None:
        """Assert that no message is here now, not even a delayed one."""
        __tracebackhide__ = True
        queued = self.queued
        if queued:
            raise AssertionError(f"{self.name}: expected to be empty\n{listing(f'waiting in {self.name}', queued)}")


def _assert_found(
    what: str,
    envelopes: Sequence[AnyEnvelope],
    cls: type[Any],
    times: int | None,
    where: Callable[[Any], bool] | None,
    fields: Mapping[str, object],
) -> list[AnyEnvelope]:
    __tracebackhide__ = True
    _check_fields(cls, fields)
    found = [
        envelope
        for envelope in envelopes
        if isinstance(envelope.message, cls)
        and all(getattr(envelope.message, name) == value for name, value in fields.items())
        and (where is None or where(envelope.message))
    ]
    if (times is None and found) or times == len(found):
        return found
    expected = "at least 1" if times is None else str(times) if times else "no"
    subject = "message" if cls is object else wanted(cls, fields, where is not None)
    raise AssertionError(f"expected {expected} {subject} {what}, found {len(found)}\n{listing(what, envelopes)}")


def _check_fields(cls: type, fields: Mapping[str, object]) -> None:
    __tracebackhide__ = True
    known = field_names(cls)
    for name in fields:
        if name not in known and not hasattr(cls, name):
            raise TypeError(f"{cls.__name__} has no field {name!r}; it has: {', '.join(known) or 'none'}")
