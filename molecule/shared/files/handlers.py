"""The example's handler as the scenarios deploy it: it takes its time, and writes down who handled what."""

import os
import time

from sms.message import SmsNotification

from messenger import handler


@handler
def send_sms(message: SmsNotification) -> None:
    """Take SMS_SECONDS, then write the content, the process and the release to SMS_LOG."""
    time.sleep(float(os.environ["SMS_SECONDS"]))
    release = os.path.basename(os.getcwd())
    with open(os.environ["SMS_LOG"], "a", encoding="utf-8") as file:
        file.write(f"{message.content} {os.getpid()} {release}\n")
