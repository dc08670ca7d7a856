"""One more handler, which takes the message of the PHP side only when it is signed; so every handler does."""

from __future__ import annotations

from messenger import handler
from tests.integration.php.sms_application import SmsNotification


@handler(sign=True)
def check(notification: SmsNotification) -> None:
    """Nothing to do."""
