"""Send a message every 20 ms until the file named as argument appears; print as JSON what became of each.

Run as the application's user in a release directory. `sent`: dispatch() returned. `unsure`: no replica had confirmed it
in time. `refused`: there was no master.
"""

import itertools
import json
import sys
import time
from pathlib import Path

from sms.message import SmsNotification

from messenger.application import Application
from messenger.errors import NotReplicated, TransportUnavailable

stop = Path(sys.argv[1])
application = Application.load()
outcome: dict[str, list[str]] = {"sent": [], "unsure": [], "refused": []}
for number in itertools.count():
    content = f"load-{number}"
    try:
        application.dispatch(SmsNotification(content=content))
        outcome["sent"].append(content)
    except NotReplicated:
        outcome["unsure"].append(content)
    except TransportUnavailable:
        outcome["refused"].append(content)
        time.sleep(0.2)
    if stop.exists():
        break
    time.sleep(0.02)
print(json.dumps(outcome))
