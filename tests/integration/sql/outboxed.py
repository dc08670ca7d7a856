"""An application whose transport `async`, on Redis, has an outbox on SQL; and its commands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from messenger.application import Application
from messenger.transports.base import Depth
from tests.integration.sql.shop import Shop
from tests.integration.worker.project import LONG, Run
from tests.support.forker import Forker
from tests.support.servers import RedisServer, wait_until

MODULE = """
import os
import signal
from dataclasses import dataclass
from sqlalchemy import Connection, text
from messenger import MessageBus, UnrecoverableError, handler

@dataclass
class Order:
    do: str = ""

@dataclass
class Placed:
    number: int = 0
    do: str = ""

@dataclass
class Paid:
    amount: int = 0

def note(what):
    with open("events", "a+") as file:
        file.seek(0)
        before = file.read().count("\\n")
        file.write(f"{what}\\n")
    return before

@handler
def on_order(message: Order, connection: Connection, bus: MessageBus):
    connection.execute(text("INSERT INTO orders VALUES (1)"))
    bus.dispatch(Placed(1))
    if message.do == "fail":
        raise UnrecoverableError("no order")
    if message.do == "fail once" and note("order") == 0:
        raise ValueError("boom")

@handler
def on_placed(message: Placed):
    before = note(f"placed {message.number}")
    if message.do == "fail once" and before == 0:
        raise ValueError("boom")
    if message.do == "give up" and before == 0:
        raise UnrecoverableError("boom")

@handler(sign=True)
def on_paid(message: Paid): ...

@handler(handles="*")
def on_any(message): ...

def setup(application):
    if "DIE" in os.environ:  # between sending to the target and acknowledging in the outbox
        application.transport("outbox").ack = lambda envelope: os.kill(os.getpid(), signal.SIGKILL)
"""
YAML = """
messenger:
  handlers: [MODULE]
  setup: MODULE.setup
  failure_transport: failed
  connections: {shop: '%env(DATABASE_URL)%'}
  signing: {key: 0123456789abcdef}
  buses: {main: {middleware: [{doctrine_transaction: [shop]}]}}
  transports:
    async:
      dsn: '%env(REDIS)%'
      options: {stream: async}
      outbox: outbox
      retry_strategy: {max_retries: 1, delay: 1}
    other: {dsn: '%env(REDIS)%', options: {stream: other}, retry_strategy: {max_retries: 1, delay: 1}}
    outbox:
      dsn: 'doctrine://shop?queue_name=outbox&redeliver_timeout=1'
      retry_strategy: {max_retries: 0}
    failed: 'doctrine://shop?queue_name=failed'
  routing: {MODULE.Placed: async, MODULE.Paid: async}
"""


class Outboxed:
    """The application, on an empty database and an empty Redis."""

    def __init__(self, shop: Shop, server: RedisServer, forker: Forker) -> None:
        self.shop = shop
        self.server = server
        self._forker = forker
        self._runs: list[Run] = []
        self.application = self.load(YAML)
        passed_on = ("PATH", "HOME", "LANG", "PYTHONPATH")
        self.environment = {name: os.environ[name] for name in passed_on if name in os.environ}
        self.environment |= {"DATABASE_URL": shop.url, "REDIS": server.url(), "PYTHONUNBUFFERED": "1"}

    def load(self, yaml: str) -> Application:
        """The application of another messenger.yaml, from now on that of every command."""
        return self.shop.load(MODULE, yaml, REDIS=self.server.url())

    def run(self, *arguments: str) -> str:
        """Run a command to its end; what it wrote, its log included."""
        code, out, log = self._forker.run(arguments, self.shop.directory, self.environment)
        assert code == 0, out + log
        return out + log

    def consume(self, name: str, count: int = 1) -> str:
        """Have a worker take so many messages; its log."""
        return self.run("consume", name, "--limit", str(count))

    def start(self, *arguments: str, **environment: str) -> Run:
        """Start a command and let it run; it is ended after the test."""
        log = self.shop.directory / f"run-{len(self._runs)}.log"
        run = Run(arguments, self.shop.directory, self.environment | environment, log)
        self._runs.append(run)
        return run

    def stream(self, name: str = "async") -> list[dict[str, Any]]:
        """The messages in a stream: body and headers."""
        with self.server.client() as client:
            entries: Any = client.xrange(name)
            assert client.zcard(f"{name}__queue") == 0, "none is delayed in Redis"
        return [json.loads(fields[b"message"]) for _, fields in entries]

    def put(self, stream: str, value: dict[str, Any]) -> None:
        """Write to a stream what another program might."""
        with self.server.client() as client:
            client.xadd(stream, {"message": json.dumps(value)})

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Inside, Redis answers, and refuses what is sent to `async`."""
        with self.server.client() as client:
            client.set("async", "no stream")
            yield
            client.delete("async")

    def depth(self, name: str = "outbox") -> Depth:
        """What is in a transport."""
        return self.application.transport(name).depth()

    def wait_until_empty(self, name: str = "outbox") -> None:
        """Wait until every message has left."""
        wait_until(lambda: self.depth(name) == Depth(0, 0, 0), LONG, f"{name} is not empty: {self.depth(name)}")

    def events(self) -> list[str]:
        """What handlers did."""
        path = self.shop.directory / "events"
        return path.read_text().splitlines() if path.exists() else []

    def failed(self) -> list[dict[str, Any]]:
        """The failed messages, as the command lists them."""
        found: list[dict[str, Any]] = json.loads(self.run("failed", "show", "--format", "json"))["messages"]
        return found

    def close(self) -> None:
        """End what still runs."""
        for run in self._runs:
            run.kill()
