"""The application of our worker in these tests: the message of the PHP side, and a handler that does as it is told.

SMS_LOG: a file that gets one JSON line when a message is received and one when it has been handled.
SMS_FAIL: if set, the handler raises. SMS_GATE: if set, the handler waits until this file exists.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from messenger import handler, message


@message(name="App\\Message\\SmsNotification")
@dataclass(frozen=True, slots=True)
class SmsNotification:
    """As in messenger_peer.php."""

    content: str
    to: str | None = None


@handler
def send_sms(notification: SmsNotification) -> None:
    """Wait, fail or succeed."""
    _write_log("received", notification)
    gate = os.environ.get("SMS_GATE")
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    if os.environ.get("SMS_FAIL"):
        raise RuntimeError("Gateway is down.")
    _write_log("handled", notification)


def _write_log(event: str, notification: SmsNotification) -> None:
    line = {"event": event, "content": notification.content, "to": notification.to}
    with open(os.environ["SMS_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
