"""What is done with them."""

import logging
import os

from messenger import handler
from sms.message import SmsNotification

log = logging.getLogger(__name__)


@handler
def send_sms(message: SmsNotification) -> None:
    """Send the text. This example writes it to the log, and to the file SMS_LOG names, if it does."""
    log.info("sms_sent to=%s characters=%d", message.to or "-", len(message.content))
    path = os.environ.get("SMS_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{message.content}\n")
