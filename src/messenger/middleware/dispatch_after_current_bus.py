"""Messages with a DispatchAfterCurrentBusStamp wait until the message that is being handled has succeeded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial

from msgspec import Struct, field

from messenger.envelope import AnyEnvelope
from messenger.errors import DelayedMessageHandlingFailed
from messenger.middleware.base import BuiltInMiddleware, Next
from messenger.stamps import LocalStamp


class DispatchAfterCurrentBusStamp(LocalStamp, frozen=True):
    """Delays a message of a handler until the message being handled has succeeded; if that fails it is dropped.

    Outside a handler it has no effect.
    """


class _Outermost(Struct, eq=False):
    """A dispatch that is not inside another one, and the dispatches that follow it.

    Attributes:
        is_over: True after its end.
        queue: Dispatches to run after it, each in the context that it was made in.
    """

    is_over: bool = False
    queue: deque[Callable[[], object]] = field(default_factory=deque)


class DispatchAfterCurrentBus(BuiltInMiddleware):
    """Runs queued dispatches after the outermost one. There is one object for all buses of an application.

    The outermost dispatch is known by the context, so that threads and tasks each have their own. Code that outlives
    the dispatch which started it is no longer inside.
    """

    def __init__(self) -> None:
        self._current: ContextVar[_Outermost | None] = ContextVar("messenger.outermost_dispatch", default=None)

    def handle(self, envelope: AnyEnvelope, following: Next) -> AnyEnvelope:
        """Queue a stamped envelope while another dispatch runs; the outermost dispatch empties the queue.

        Raises:
            DelayedMessageHandlingFailed: The outermost message succeeded, and queued ones failed.
        """
        outermost = self._current.get()
        is_inside = outermost is not None and not outermost.is_over
        if envelope.last(DispatchAfterCurrentBusStamp) is not None:
            bare = envelope.without_all(DispatchAfterCurrentBusStamp)
            if outermost is not None and is_inside:
                outermost.queue.append(partial(copy_context().run, following, bare))
                return envelope
            envelope = bare
        if is_inside:
            return following(envelope)
        outermost = _Outermost()
        before = self._current.set(outermost)
        try:
            result = following(envelope)
            errors = _dispatch_queued(outermost.queue) if outermost.queue else None
        finally:
            outermost.is_over = True
            self._current.reset(before)
        if errors:
            raise DelayedMessageHandlingFailed(result, errors) from errors[0]
        return result


def _dispatch_queued(queue: deque[Callable[[], object]]) -> list[Exception]:
    errors: list[Exception] = []
    while queue:
        dispatch = queue.popleft()
        before = len(queue)
        try:
            dispatch()
        except Exception as error:
            errors.append(error)
            while len(queue) > before:  # what the failed one queued is dropped with it
                queue.pop()
    return errors
