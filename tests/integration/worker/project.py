"""An application in a directory of its own, its `messenger` command as real processes, and what its handlers did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from messenger.control.plane import Control, WorkerInfo
from messenger.redis.dsn import parse_redis_dsn
from tests.support.forker import Forker
from tests.support.servers import RedisServer, wait_until

LONG = 30.0  # seconds; how long a test waits for what must come

TASKS = '''
"""Handlers that write down what they do and do what their message says."""
import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from messenger import RecoverableError, StopWorker, UnrecoverableError, handler, message

HERE = Path(os.environ["TEST_DIRECTORY"])
kept = []


@message(name="App\\\\Message\\\\Task")
@dataclass
class Task:
    name: str = "t"
    do: str = ""


@dataclass
class AsyncTask:
    name: str = "t"


def event(what, name):
    with open(HERE / "events", "a") as file:
        file.write(f"{what} {name} {os.getpid()}\\n")


def act(task):
    if task.do == "fail":
        raise ValueError(f"boom {task.name}")
    if task.do == "fail-once" and not (HERE / f"failed-{task.name}").exists():
        (HERE / f"failed-{task.name}").touch()
        raise RecoverableError("once", retry_delay=1)
    if task.do == "give-up":
        raise UnrecoverableError(f"hopeless {task.name}")
    if task.do == "stop":
        raise StopWorker("asked by a message")
    if task.do == "exit":
        sys.exit(3)
    if task.do == "eat":
        kept.append(b"x" * 200_000_000)
    if task.do.startswith("sleep "):
        time.sleep(float(task.do.split()[1]))
    while task.do == "wait" and not (HERE / f"go-{task.name}").exists():
        time.sleep(0.01)


@handler
def on_task(task: Task):
    event("start", task.name)
    act(task)
    event("done", task.name)


@handler
async def on_async_task(task: AsyncTask):
    event("start", task.name)
    await asyncio.sleep(0)
    event("done", task.name)
'''

YAML = """
messenger:
  name: test
  handlers: [tasks]
  failure_transport: failed
  transports:
    async:
      dsn: '%env(MESSENGER_TRANSPORT_DSN)%'
      options: {stream: async, claim_interval: 200}
      retry_strategy: {max_retries: 1, delay: 10, jitter: 0}
    high:
      dsn: '%env(MESSENGER_TRANSPORT_DSN)%'
      options: {stream: high}
    failed: 'doctrine://default?queue_name=failed'
  routing:
    'App\\Message\\Task': async
"""


class Run:
    """One `messenger` process that goes on while the test does."""

    def __init__(self, arguments: tuple[str, ...], directory: Path, environment: dict[str, str], log: Path) -> None:
        self.log_path = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "messenger.cli", *arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self.log_path.read_text()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until its log has this text; fail when it ends without."""

        def there() -> bool:
            ended = self.process.poll() is not None
            if self.log.count(text) >= times:
                return True
            if ended:
                pytest.fail(f"it ended ({self.process.returncode}) before it wrote {text!r}:\n{self.log}")
            return False

        wait_until(there, LONG, f"{text!r} in the log:\n{self.log}")

    def started(self) -> Run:
        """Wait until it reads messages."""
        self.wait_for("worker_started")
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def code(self) -> int:
        """Wait for its end; its exit code."""
        try:
            return self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end:\n{self.log}")

    def kill(self) -> None:
        """End it for good."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LONG)


@dataclass(frozen=True)
class Output:
    """What a command wrote."""

    stdout: str
    stderr: str


class Project:
    """The application, in a directory of its own, on one Redis."""

    def __init__(self, directory: Path, server: RedisServer, forker: Forker) -> None:
        self.directory = directory
        self.server = server
        self._forker = forker
        self.runs: list[Run] = []
        self.environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ
        }
        self.environment |= {
            "TEST_DIRECTORY": str(directory),
            "MESSENGER_TRANSPORT_DSN": server.url(),
            "MESSENGER_HOST": "here",
            "PYTHONUNBUFFERED": "1",
        }
        self.write("tasks.py", TASKS)
        self.write("messenger.yaml", YAML)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    # --- processes -------------------------------------------------------------------------------------------------

    def start(self, *arguments: str, **environment: str) -> Run:
        """Start `messenger` with these arguments and let it run; it is ended after the test."""
        log = self.directory / f"run-{len(self.runs)}.log"
        run = Run(arguments, self.directory, self.environment | environment, log)
        self.runs.append(run)
        return run

    def worker(self, *arguments: str, **environment: str) -> Run:
        """Start `messenger consume` and wait until it reads messages."""
        return self.start("consume", *(arguments or ("async",)), **environment).started()

    def run(self, *arguments: str, code: int | None = 0, **environment: str) -> Output:
        """Run `messenger` to its end and check its exit code; None: any."""
        found, stdout, stderr = self._forker.run(arguments, self.directory, self.environment | environment)
        assert code in (None, found), f"exit code {found}:\n{stdout}{stderr}"
        assert "Traceback" not in stderr, stderr
        return Output(stdout, stderr)

    def work(self, count: int, transport: str = "async") -> None:
        """Have a worker take so many messages. Quicker than `worker`, which is a process of its own."""
        arguments = ("consume", transport, "--limit", str(count))
        found, _, log = self._forker.run(arguments, self.directory, self.environment)
        assert found == 0, log

    def json(self, *arguments: str, code: int | None = 0, **environment: str) -> Any:
        """The JSON that `messenger … --format json` prints."""
        return json.loads(self.run(*arguments, "--format", "json", code=code, **environment).stdout)

    def registered(self) -> list[WorkerInfo]:
        """The workers as the registry has them now; quicker than the command."""
        control = Control(parse_redis_dsn("control", self.server.url()), "test")
        try:
            return control.workers()
        finally:
            control.close()

    def wait_for_workers(self, count: int, state: str | None = None) -> list[WorkerInfo]:
        """Wait until this many are registered, all of them in this state."""
        found: list[WorkerInfo] = []

        def there() -> bool:
            found[:] = self.registered()
            return len(found) == count and all(state in (None, worker.state) for worker in found)

        wait_until(there, LONG, f"{count} workers {state or 'in any state'}; there are {found}")
        return found

    def close(self) -> None:
        """End what still runs."""
        for run in self.runs:
            run.kill()

    # --- messages --------------------------------------------------------------------------------------------------

    def send(self, name: str = "t", do: str = "", *, stream: str = "async", type_: str = "App\\Message\\Task") -> str:
        """Put a message into a stream, as another program would; its id."""
        headers = {"type": type_, "Content-Type": "application/json"}
        value = json.dumps({"body": json.dumps({"name": name, "do": do}), "headers": headers})
        with self.server.client() as client:
            entry_id: bytes = client.xadd(stream, {"message": value})
        return entry_id.decode()

    def go(self, name: str) -> None:
        """Let a handler that waits go on."""
        (self.directory / f"go-{name}").touch()

    def events(self, what: str = "") -> list[str]:
        """What handlers did, in order: "start NAME", "done NAME"."""
        path = self.directory / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.rsplit(" ", 1)[0] for line in lines if line.startswith(what)]

    def wait_for_event(self, event: str, times: int = 1) -> None:
        logs = [run.log_path for run in self.runs]
        self.wait_until(
            lambda: self.events().count(event) >= times,
            f"{event!r}; there were {self.events()}\n" + "\n".join(path.read_text()[-1000:] for path in logs),
        )

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, LONG, what)

    def left(self) -> tuple[int, int, int]:
        """How many messages are ready, in flight and delayed in `async`."""
        with self.server.client() as client:
            groups: Any = client.xinfo_groups("async") if client.exists("async") else []
            pending = sum(group["pending"] for group in groups)
            length: Any = client.xlen("async")
            delayed: Any = client.zcard("async__queue")
        return length - pending, pending, delayed
