"""Queued message handling in the manner of Symfony Messenger. The public names are those listed here."""

from messenger.bus import MessageBus
from messenger.envelope import Envelope
from messenger.errors import (
    ConfigError,
    DelayedMessageHandlingFailed,
    HandlerDefinitionError,
    HandlerFailed,
    MessageDecodingFailed,
    MessageEncodingFailed,
    MessengerError,
    NoHandlerForMessage,
    NotOneResult,
    RecoverableError,
    StopWorker,
    TransportError,
    TransportUnavailable,
    UnrecoverableError,
)
from messenger.handlers import handler
from messenger.messages import message
from messenger.middleware.base import Middleware, Next
from messenger.query import ask
from messenger.stamps import DelayStamp, DispatchAfterCurrentBusStamp, MessageIdsStamp, Stamp, TransportNamesStamp

__all__ = [
    "ConfigError",
    "DelayStamp",
    "DelayedMessageHandlingFailed",
    "DispatchAfterCurrentBusStamp",
    "Envelope",
    "HandlerDefinitionError",
    "HandlerFailed",
    "MessageBus",
    "MessageDecodingFailed",
    "MessageEncodingFailed",
    "MessageIdsStamp",
    "MessengerError",
    "Middleware",
    "Next",
    "NoHandlerForMessage",
    "NotOneResult",
    "RecoverableError",
    "Stamp",
    "StopWorker",
    "TransportError",
    "TransportNamesStamp",
    "TransportUnavailable",
    "UnrecoverableError",
    "ask",
    "handler",
    "message",
]
