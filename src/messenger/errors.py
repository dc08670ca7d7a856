"""Every error the package raises on purpose.

    MessengerError
    ├── ConfigError                 messenger.yaml, a DSN, or an application that cannot be loaded
    ├── HandlerDefinitionError      @handler or @message used wrongly
    ├── NoHandlerForMessage
    ├── NoSenderForMessage          only on a bus with allow_no_senders: false
    ├── NotOneResult                a question was not answered by exactly one handler
    ├── MessageEncodingFailed
    │   └── MessageTooLarge         for the limit of its transport
    ├── MessageDecodingFailed
    ├── HandlerFailed               one or more handlers of a message raised
    ├── HandlerTimedOut             a handler took longer than its timeout
    ├── InfrastructureError         raised by a handler: what it needs is unavailable; no attempt is used up
    ├── DelayedMessageHandlingFailed  messages that were to follow a handled one failed
    ├── MessageIsDuplicate          a failed message is not retried: another one with its key is on its way
    ├── TransportError
    │   ├── NotReplicated           stored, perhaps on no replica: a failover may lose it
    │   └── TransportUnavailable    the server cannot be reached: wait and try again
    │       └── TransportFull       it holds as many messages as it may
    ├── RecoverableError            raised by a handler: retry, whatever the retry count
    ├── UnrecoverableError          raised by a handler: do not retry
    │   └── MessageKillsWorkers     put aside by the worker, not run again
    └── StopWorker                  raised by a handler: stop after this message

The first line of a class's docstring is its message when none is given.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from messenger.printable import text_of

if TYPE_CHECKING:
    from messenger.envelope import Envelope


class MessengerError(Exception):
    """Something went wrong in messenger."""

    def __init__(self, message: str | None = None) -> None:
        """Create the error.

        Args:
            message: Text of the error; the default is the summary of the class's docstring.
        """
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class ConfigError(MessengerError):
    """The configuration cannot be used."""


class HandlerDefinitionError(ConfigError):
    """A handler or message class is declared wrongly."""


class NoHandlerForMessage(MessengerError):
    """No handler takes this message."""


class NotOneResult(MessengerError):
    """A message that was asked for its result was not handled by exactly one handler."""


class NoSenderForMessage(MessengerError):
    """The message is routed to no transport, and its bus sends every message."""


class MessageEncodingFailed(MessengerError):
    """The message cannot be written as JSON."""


class MessageTooLarge(MessageEncodingFailed):
    """The message is larger than its transport takes: nothing was sent."""


class MessageDecodingFailed(MessengerError):
    """What was received is not a message this application knows."""


class MessageIsDuplicate(MessengerError):
    """A failed message is not retried now: another message with the key of its DeduplicateStamp is on its way."""


class TransportError(MessengerError):
    """The transport refused."""


class NotReplicated(TransportError):
    """The message is stored, and too few replicas have confirmed that they have it: a failover may lose it.

    Send it again only if its handlers bear to run twice.
    """


class TransportUnavailable(TransportError):
    """The transport's server cannot be reached."""


class TransportFull(TransportUnavailable):
    """The transport holds as many messages as it may: nothing was sent, try again later."""


class RecoverableError(MessengerError):
    """Try this message again, however often it has failed.

    Attributes:
        retry_delay: Milliseconds until the next attempt; None leaves it to the retry strategy.
    """

    def __init__(self, message: str | None = None, *, retry_delay: int | None = None) -> None:
        """Create the error.

        Args:
            message: Text of the error.
            retry_delay: Milliseconds until the next attempt; None leaves it to the retry strategy.
        """
        super().__init__(message)
        self.retry_delay = retry_delay


class UnrecoverableError(MessengerError):
    """This message will never succeed: put it into the failure store now."""


class MessageKillsWorkers(UnrecoverableError):
    """This message was handed out again and again and no worker ever settled it: it seems to end them."""


class HandlerTimedOut(MessengerError):
    """The handler took longer than its timeout."""


class InfrastructureError(MessengerError):
    """Something that handlers need cannot be reached: the message goes back as it was, and the worker waits."""


class StopWorker(MessengerError):
    """The worker shall stop after this message."""


class HandlerFailed(MessengerError):
    """One or more handlers failed.

    Attributes:
        envelope: The message, with a HandledStamp for each handler that succeeded, so that a retry skips it.
        errors: What the handlers raised, by handler name.
    """

    def __init__(self, envelope: Envelope[Any], errors: Mapping[str, Exception]) -> None:
        """Create the error.

        Args:
            envelope: The message, with its HandledStamps.
            errors: What the handlers raised, by handler name; at least one.
        """
        name, first = next(iter(errors.items()))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{name} failed: {type(first).__name__}: {text_of(first)}{more}")
        self.envelope = envelope
        self.errors = dict(errors)


class DelayedMessageHandlingFailed(MessengerError):
    """A message was handled, and messages its handlers dispatched with a DispatchAfterCurrentBusStamp failed.

    Attributes:
        envelope: The message that was handled.
        errors: What was raised for each of the other messages.
    """

    def __init__(self, envelope: Envelope[Any], errors: Sequence[Exception]) -> None:
        """Create the error.

        Args:
            envelope: The message that was handled.
            errors: What was raised for each of the other messages; at least one.
        """
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        what = f"{type(first).__name__}: {text_of(first)}{more}"
        super().__init__(f"a message dispatched after the current one failed: {what}")
        self.envelope = envelope
        self.errors = tuple(errors)


def causes(error: Exception) -> list[Exception]:
    """Return the root errors: those of the handlers that an error stands for, or the error itself."""
    if isinstance(error, HandlerFailed):
        return [cause for each in error.errors.values() for cause in causes(each)]
    if isinstance(error, DelayedMessageHandlingFailed):
        return [cause for each in error.errors for cause in causes(each)]
    return [error]


def is_ctrl_c(error: BaseException) -> bool:
    """Return True when a user pressed Ctrl-C.

    A worker catches SIGINT, so there a KeyboardInterrupt was raised by the application's code.
    """
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def as_failure(error: BaseException, who: str) -> Exception:
    """Return an error as an Exception: itself, or a RuntimeError with its traceback that describes it.

    Args:
        error: What was raised.
        who: What raised it, such as "the handler".

    Raises:
        KeyboardInterrupt: A user pressed Ctrl-C; never in a worker.
        TimeIsUp: The time limit of the handler around the code has passed.
    """
    if isinstance(error, TimeIsUp) or is_ctrl_c(error):
        raise error
    if isinstance(error, asyncio.CancelledError | concurrent.futures.CancelledError):
        return RuntimeError(f"{who} was cancelled")
    if isinstance(error, Exception):
        return error
    if isinstance(error, SystemExit):
        what = f"called exit({error.code!r})"
    else:
        text = text_of(error)
        what = f"raised {type(error).__name__}{f': {text}' if text else ''}"
    failure = RuntimeError(f"{who} {what}")
    failure.__cause__ = error
    return failure.with_traceback(error.__traceback__)


class TimeIsUp(BaseException):
    """Interrupts a handler at its time limit. Not an Exception, so that ``except Exception`` does not catch it."""
