"""The two applications that share a Redis here: PHP's, on the real Symfony Messenger, and ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from messenger.application import Application
from messenger.envelope import AnyEnvelope
from messenger.stamps import DelayStamp
from messenger.transports.base import ListableTransport, Transport
from messenger.wire.stamps import PREFIX
from tests.integration.php.sms_application import SmsNotification
from tests.support.paths import ROOT
from tests.support.servers import RedisServer, wait_until

PEER = Path(__file__).with_name("messenger_peer.php")
INSTALL = (
    "apt-get install --no-install-recommends php-cli php-redis php-symfony-redis-messenger "
    "php-symfony-serializer php-symfony-property-info php-symfony-property-access php-symfony-event-dispatcher "
    "php-symfony-error-handler"
)
SYMFONY = "Symfony\\Component\\Messenger\\Stamp\\"
END_SECONDS = 60.0


class WorkerProcess:
    """A worker of either side, and what its handler wrote down."""

    def __init__(self, process: subprocess.Popen[str], log: Path, errors: Path) -> None:
        self.process = process
        self._log = log
        self._errors = errors

    def lines(self, event: str = "handled") -> list[dict[str, Any]]:
        """What was written about messages "received" or "handled", oldest first."""
        text = self._log.read_text(encoding="utf-8") if self._log.exists() else ""
        complete = text[: text.rfind("\n") + 1].split("\n")[:-1]
        return [line for line in map(json.loads, complete) if line["event"] == event]

    def contents(self, event: str = "handled") -> list[str]:
        """The contents of the messages "received" or "handled", oldest first."""
        return [line["content"] for line in self.lines(event)]

    def errors(self) -> str:
        """What it printed so far."""
        return self._errors.read_text(encoding="utf-8")

    def finish(self) -> None:
        """Wait until it has ended by itself, and without complaint."""
        try:
            code = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the worker did not end within {END_SECONDS:g} s:\n{self.errors()}")
        if code != 0:
            pytest.fail(f"the worker ended with exit code {code}:\n{self.errors()}")

    def wait_for(self, event: str, count: int = 1) -> None:
        """Return once that many messages were "received" or "handled"; fail at once when the worker has ended."""

        def reached() -> bool:
            if len(self.lines(event)) >= count:
                return True
            if self.process.poll() is not None:
                pytest.fail(f"the worker ended with only {self.lines(event)} {event}:\n{self.errors()}")
            return False

        wait_until(reached, END_SECONDS, f"{count} messages {event}")

    def stop(self) -> None:
        """SIGTERM: finish the message and leave."""
        self.process.terminate()
        self.finish()

    def kill(self) -> None:
        """SIGKILL: leave everything as it is."""
        self.process.kill()
        self.process.wait(END_SECONDS)


class Peer:
    """What both sides have: a Redis and a directory for their workers' logs."""

    def __init__(self, server: RedisServer, directory: Path) -> None:
        self._server = server
        self.directory = directory
        self._started = 0

    def _next_log(self) -> Path:
        self._started += 1
        return self.directory / f"{type(self).__name__}-{self._started}.log"

    @contextmanager
    def _process(
        self, command: Sequence[str], log: Path, environment: dict[str, str], order: str = ""
    ) -> Iterator[WorkerProcess]:
        errors = log.with_suffix(".stderr")
        with (
            errors.open("w") as output,
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output, text=True
            ) as process,
        ):
            try:
                assert process.stdin is not None
                process.stdin.write(order)
                process.stdin.close()
                yield WorkerProcess(process, log, errors)
            finally:
                process.kill()


class Php(Peer):
    """PHP. Its consumers need names of their own; a new one is made for each worker.

    dsn_options: appended to the DSN of "async". sign_key: signs what is sent and must fit what is received.
    """

    def __init__(self, server: RedisServer, directory: Path) -> None:
        super().__init__(server, directory)
        self.dsn_options = {"delete_after_ack": "true"}
        self.sign_key: str | None = None

    def dispatch(
        self,
        *contents: str,
        to: str | None = None,
        delay: int | None = None,
        trace: str | None = None,
        format: str = "json",
    ) -> None:
        """Dispatch SmsNotifications. delay: milliseconds."""
        order = self._order("dispatch", contents=contents, to=to, delay=delay, trace=trace, format=format)
        done = subprocess.run([self._php(), str(PEER)], input=order, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            pytest.fail(f"PHP failed:\n{done.stdout}{done.stderr}")

    @contextmanager
    def worker(
        self,
        *,
        limit: int = 1,
        receiver: str = "async",
        max_retries: int = 3,
        fail: bool = False,
        gate: Path | None = None,
        format: str = "json",
    ) -> Iterator[WorkerProcess]:
        """A started worker that polls already; ended at the latest with the block."""
        log = self._next_log()
        orders = {"limit": limit, "receiver": receiver, "max_retries": max_retries, "fail": fail}
        order = self._order("consume", **orders, gate=str(gate) if gate else None, log=str(log), format=format)
        with self._process([self._php(), str(PEER)], log, dict(os.environ), order) as worker:
            worker.wait_for("ready")
            yield worker

    def consume(self, **options: Any) -> WorkerProcess:
        """A worker that ended after `limit` messages; options as for `worker`."""
        with self.worker(**options) as worker:
            worker.finish()
        return worker

    def _order(self, call: str, **more: Any) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.dsn_options.items())
        consumer = f"php-{os.getpid()}-{self._started}"
        order = {
            "call": call,
            "install": INSTALL,
            "sign_key": self.sign_key,
            "dsn": self._server.url(f"/messages/symfony/{consumer}?{query}"),
            "failed_dsn": self._server.url(f"/failed/symfony/{consumer}?delete_after_ack=true"),
        }
        return json.dumps(order | more) + "\n"

    @staticmethod
    def _php() -> str:
        php = shutil.which("php")
        if php is None:
            pytest.fail(f"PHP is not installed; on Debian: {INSTALL}")
        return php


class Ours(Peer):
    """This package: `messenger consume` as a process, dispatch and looking in this one.

    dsn_options: appended to the DSN of "async". max_retries: of "async", the first one after 0 ms.
    signing: that section of messenger.yaml; the messages are signed when there is one.
    """

    def __init__(self, server: RedisServer, directory: Path) -> None:
        super().__init__(server, directory)
        self.dsn_options: dict[str, str] = {}
        self.max_retries = 3
        self.signing: dict[str, Any] = {}

    def dispatch(self, *contents: str, to: str | None = None, delay: int | None = None) -> None:
        """Dispatch SmsNotifications. delay: milliseconds."""
        application = self.application()
        for content in contents:
            application.dispatch(SmsNotification(content, to), [DelayStamp(delay)] if delay is not None else [])
        application.close()

    @contextmanager
    def worker(
        self, *, limit: int = 1, receiver: str = "async", fail: bool = False, gate: Path | None = None
    ) -> Iterator[WorkerProcess]:
        """A started worker; ended at the latest with the block."""
        log = self._next_log()
        environment = os.environ | {"SMS_LOG": str(log), "SMS_FAIL": "1" if fail else "", "SMS_GATE": str(gate or "")}
        command = self._messenger("consume", receiver, "--limit", str(limit), "--time-limit", "100", "--sleep", "0.1")
        with self._process(command, log, environment) as worker:
            yield worker

    def consume(self, **options: Any) -> WorkerProcess:
        """A worker that ended after `limit` messages; options as for `worker`."""
        with self.worker(**options) as worker:
            worker.finish()
        return worker

    def run(self, *arguments: str) -> str:
        """What `messenger ARGUMENTS` prints; it must succeed."""
        done = subprocess.run(self._messenger(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def waiting(self, transport: str = "async") -> list[AnyEnvelope]:
        """All that a transport holds, the messages being handled included."""
        application = self.application()
        listable: Transport = application.transport(transport)
        assert isinstance(listable, ListableTransport)
        found = list(listable.all(1000))
        application.close()
        return found

    def application(self) -> Application:
        """Our application as it is configured now; close it."""
        return Application.load(self._write_config())

    def _messenger(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "messenger.cli", "--config", str(self._write_config()), *arguments]

    def _write_config(self) -> Path:
        query = "&".join(f"{name}={value}" for name, value in self.dsn_options.items())
        modules = ["sms_application"] + ["sms_signed"] * bool(self.signing)
        config = {
            "handlers": [f"tests.integration.php.{module}" for module in modules],
            "signing": self.signing or None,
            "failure_transport": "failed",
            "transports": {
                "async": {
                    "dsn": self._server.url(f"/messages?{query}"),
                    "retry_strategy": {"max_retries": self.max_retries, "delay": 0},
                },
                "failed": {"dsn": self._server.url("/failed")},
            },
            "routing": {"App\\Message\\SmsNotification": "async"},
        }
        path = self.directory / "messenger.yaml"
        path.write_text(json.dumps({"messenger": config}), encoding="utf-8")  # JSON is YAML
        return path


def stamps(line: dict[str, Any], name: str) -> Any:
    """The stamps of Symfony's class `name`, or of the class with this full name, that PHP found on a message."""
    header = PREFIX + (name if "\\" in name else SYMFONY + name)
    return json.loads(line["headers"].get(header, "[]"))
