"""Send a steady stream of messages and watch the fleet, until the file named first appears; then print what was seen.

    steady.py STOP_FILE MESSAGES_PER_SECOND

Run as the application's user in a release directory. The JSON says how many messages were sent (`load-0` onwards), in
how many seconds, how often the fleet was looked at, and the fewest hosts with a worker at work at one of those looks.
"""

import json
import sys
import threading
import time
from pathlib import Path

from sms.message import SmsNotification

from messenger.application import Application

AT_WORK = {"idle", "busy"}

stop = Path(sys.argv[1])
rate = float(sys.argv[2])
application = Application.load()
looks: list[int] = []


def watch() -> None:
    """Count the hosts at work, twice a second."""
    control = application.control()
    assert control is not None
    while not stop.exists():
        at_work = [worker for worker in control.workers() if worker.state in AT_WORK and worker.seen_seconds < 5]
        looks.append(len({worker.host for worker in at_work}))
        time.sleep(0.5)


watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
began = time.monotonic()
sent = 0
while not stop.exists():
    due = int((time.monotonic() - began) * rate)
    while sent < due:
        application.dispatch(SmsNotification(content=f"load-{sent}"))
        sent += 1
    time.sleep(0.02)
seconds = time.monotonic() - began
watcher.join(5)
print(json.dumps({"sent": sent, "seconds": round(seconds, 1), "looks": len(looks), "fewest_hosts": min(looks)}))
