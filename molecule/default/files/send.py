"""Keep 200 messages in flight until the file named as argument appears; print how many were sent, each different.

Run as the application's user in a release directory.
"""

import itertools
import sys
import time
from pathlib import Path

from sms.message import SmsNotification

from messenger.application import Application

IN_FLIGHT = 200

stop = Path(sys.argv[1])
application = Application.load()
transport = application.transport("async")
numbers = itertools.count()
while True:
    depth = transport.depth()
    for _ in range(IN_FLIGHT - depth.ready - depth.in_flight - depth.delayed):
        application.dispatch(SmsNotification(content=f"load-{next(numbers)}"))
    if stop.exists():
        break
    time.sleep(0.2)
print(next(numbers))
