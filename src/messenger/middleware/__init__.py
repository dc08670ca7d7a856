"""The steps of a bus, one behaviour a file."""

from messenger.middleware.add_bus_name import AddBusName
from messenger.middleware.base import Middleware, Next
from messenger.middleware.deduplicate import Deduplicate
from messenger.middleware.dispatch_after_current_bus import DispatchAfterCurrentBus
from messenger.middleware.failed_message_processing import FailedMessageProcessing
from messenger.middleware.handle_message import HandleMessage
from messenger.middleware.message_ids import AddMessageIds, FollowMessageIds
from messenger.middleware.send_message import SendMessage

__all__ = [
    "AddBusName",
    "AddMessageIds",
    "Deduplicate",
    "DispatchAfterCurrentBus",
    "FailedMessageProcessing",
    "FollowMessageIds",
    "HandleMessage",
    "Middleware",
    "Next",
    "SendMessage",
]
