"""Queued message handling in the manner of Symfony Messenger. The public names are those listed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from messenger.bus import MessageBus, ask, ask_async
from messenger.deduplication.stamps import DeduplicateStamp, DuplicateOfStamp
from messenger.envelope import Envelope
from messenger.errors import (
    ConfigError,
    DelayedMessageHandlingFailed,
    HandlerDefinitionError,
    HandlerFailed,
    HandlerTimedOut,
    InfrastructureError,
    MessageDecodingFailed,
    MessageEncodingFailed,
    MessageTooLarge,
    MessengerError,
    NoHandlerForMessage,
    NoSenderForMessage,
    NotOneResult,
    NotReplicated,
    RecoverableError,
    StopWorker,
    TransportError,
    TransportFull,
    TransportUnavailable,
    UnrecoverableError,
)
from messenger.events import (
    WorkerMessageFailed,
    WorkerMessageHandled,
    WorkerMessageReceived,
    WorkerRateLimited,
    WorkerRunning,
    WorkerStarted,
    WorkerStopped,
)
from messenger.handling.acknowledger import Acknowledger
from messenger.handling.registry import Batch, handler
from messenger.messages import message
from messenger.middleware.base import Middleware, Next
from messenger.middleware.dispatch_after_current_bus import DispatchAfterCurrentBusStamp
from messenger.stamps import (
    BusNameStamp,
    DelayStamp,
    DeliveryStamp,
    ErrorDetailsStamp,
    HandledStamp,
    LocalStamp,
    MessageIdsStamp,
    ReceivedStamp,
    RedeliveryStamp,
    SentStamp,
    SentToFailureTransportStamp,
    Stamp,
    TransportNamesStamp,
)
from messenger.transports.transactions import SqlConnectionStamp

if TYPE_CHECKING:
    from messenger.application import Application

__all__ = [
    "Acknowledger",
    "Application",
    "Batch",
    "BusNameStamp",
    "ConfigError",
    "DeduplicateStamp",
    "DelayStamp",
    "DelayedMessageHandlingFailed",
    "DeliveryStamp",
    "DispatchAfterCurrentBusStamp",
    "DuplicateOfStamp",
    "Envelope",
    "ErrorDetailsStamp",
    "HandledStamp",
    "HandlerDefinitionError",
    "HandlerFailed",
    "HandlerTimedOut",
    "InfrastructureError",
    "LocalStamp",
    "MessageBus",
    "MessageDecodingFailed",
    "MessageEncodingFailed",
    "MessageIdsStamp",
    "MessageTooLarge",
    "MessengerError",
    "Middleware",
    "Next",
    "NoHandlerForMessage",
    "NoSenderForMessage",
    "NotOneResult",
    "NotReplicated",
    "ReceivedStamp",
    "RecoverableError",
    "RedeliveryStamp",
    "SentStamp",
    "SentToFailureTransportStamp",
    "SqlConnectionStamp",
    "Stamp",
    "StopWorker",
    "TransportError",
    "TransportFull",
    "TransportNamesStamp",
    "TransportUnavailable",
    "UnrecoverableError",
    "WorkerMessageFailed",
    "WorkerMessageHandled",
    "WorkerMessageReceived",
    "WorkerRateLimited",
    "WorkerRunning",
    "WorkerStarted",
    "WorkerStopped",
    "ask",
    "ask_async",
    "handler",
    "message",
]


def __getattr__(name: str) -> Any:
    """Import `Application` on first use.

    It imports the configuration and the Redis client, which modules of messages or handlers do not need.
    """
    if name == "Application":
        from messenger.application import Application

        return Application
    raise AttributeError(f"module 'messenger' has no attribute {name!r}")
