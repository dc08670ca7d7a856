"""The application of the promise's test: handlers that fail, exit and take long, and write down what they finished."""

from __future__ import annotations

TASKS = """
import os
import time
from dataclasses import dataclass
from pathlib import Path

from messenger import handler

HERE = Path(os.environ["TEST_DIRECTORY"])


@dataclass
class Order:
    number: int
    mood: str


def note(name, text):
    with open(HERE / name, "a") as file:
        file.write(text + "\\n")


@handler
def on_order(order: Order):
    tries = HERE / "tries" / str(order.number)
    with open(tries, "a") as file:
        file.write("x")
    note("started", f"{order.number} {os.getpid()}")
    if order.mood == "broken":
        raise ValueError("broken")
    if order.mood == "flaky" and tries.stat().st_size <= 2:
        raise ValueError("flaky")
    if order.mood == "deadly":
        os._exit(9)
    if order.mood == "slow":
        time.sleep(0.2)
    note("done", f"{order.number} {os.getpid()}")
"""

# Dispatches until it is ended, and notes each number whose dispatch returned.
SENDER = """
import os
import random
import sys
import time

from messenger import Application, DelayStamp, TransportError
from tasks import Order, note

MOODS = ["", "", "", "", "", "", "flaky", "slow", "broken"]
first, step = int(sys.argv[1]), int(sys.argv[2])
chance = random.Random(first)
app = Application.load("messenger.yaml")
for number in range(first, first + step):
    mood = "deadly" if number % 40 == 7 else chance.choice(MOODS)
    stamps = [DelayStamp(chance.randrange(1, 800))] if chance.random() < 0.2 else []
    while True:
        try:
            app.dispatch(Order(number, mood), stamps)
        except TransportError:  # it may have been stored all the same
            note("sent_again", str(number))
            continue
        break
    note("sent", f"{number} {mood}")
    time.sleep(0.01)
"""

# Prints the number of each message in the failure store.
AUDIT = """
from messenger import Application

app = Application.load("messenger.yaml")
for envelope in app.transport("failed").all(10**6):
    print(envelope.message.number)
app.close()
"""

YAML = """
messenger:
  name: test
  handlers: [tasks]
  control: '%env(REDIS_DSN)%'
  failure_transport: failed
  connections:
    default: '%env(DATABASE_URL)%'
  transports:
    async:
      dsn: '%env(ASYNC_DSN)%'
      options: {redeliver_timeout: 2}
      retry_strategy: {max_retries: 3, delay: 20, jitter: 0.5}
    failed: '%env(FAILED_DSN)%'
  routing:
    'tasks.Order': async
"""
