"""Everything that may happen to a fleet, in an order that a seed decides."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import redis

from tests.integration.worker.project import Project, Run
from tests.support.servers import PostgresServer, RedisServer, Server, wait_until

LONG = 60.0  # seconds
WORKERS = 3
ORDERS_EACH = 100_000  # numbers a sender may use


class Chaos:
    """Senders and workers at work, and what disturbs them.

    killed: the workers that were ended without being asked.
    """

    def __init__(self, project: Project, store: RedisServer | PostgresServer | None, seed: int) -> None:
        self._project = project
        self._store = store
        self._chance = random.Random(seed)
        self._workers: list[Run] = []
        self._senders: list[subprocess.Popen[bytes]] = []
        self._sent_by = 0
        self.killed: set[int] = set()

    # --- who is at work --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start everybody."""
        (self._project.directory / "tries").mkdir()
        self._add_sender()
        self._see_to_workers()

    def _add_sender(self) -> None:
        self._sent_by += 1
        command = [sys.executable, "sender.py", str(self._sent_by * ORDERS_EACH), str(ORDERS_EACH)]
        directory = self._project.directory
        with (directory / f"sender-{self._sent_by}.log").open("wb") as log:
            self._senders.append(
                subprocess.Popen(command, cwd=directory, env=self._project.environment, stdout=log, stderr=log)
            )

    def _see_to_workers(self) -> None:
        """What Supervisor does: one that ended is started again."""
        self._workers = [run for run in self._workers if run.process.poll() is None]
        while len(self._workers) < WORKERS:
            self._workers.append(self._project.start("consume", "async", "-q", "--sleep", "0.2"))

    # --- what happens ----------------------------------------------------------------------------------------------

    def step(self) -> str:
        """Do something to them, and wait until work goes on. What it was."""
        actions: list[Callable[[], None]] = [
            self.kill_worker,
            self.stop_worker,
            self.stop_workers,
            self.kill_sender,
            self.retry_failed,
        ]
        if self._store is not None:
            actions += [self.kill_store, self.freeze_store]
        if isinstance(self._store, RedisServer):
            actions += [self.cut_connections, self.forget_scripts]
        action = self._chance.choice(actions)
        action()
        self._see_to_workers()
        self._wait_for_work()
        return action.__name__

    def kill_worker(self) -> None:
        """kill -9."""
        run = self._chance.choice(self._workers)
        self.killed.add(run.pid)
        run.kill()

    def stop_worker(self) -> None:
        """SIGTERM, once it listens to it."""
        run = self._chance.choice(self._workers)
        self._project.wait_until(
            lambda: run.pid in {w.pid for w in self._project.registered()} or run.process.poll() is not None,
            "a worker is registered",
        )
        if run.process.poll() is None:
            run.signal(signal.SIGTERM)
            run.code()

    def stop_workers(self) -> None:
        """messenger stop-workers."""
        self._project.run("stop-workers")

    def kill_sender(self) -> None:
        """kill -9, and another one goes on."""
        sender = self._senders.pop()
        sender.kill()
        sender.wait(LONG)
        self._add_sender()

    def retry_failed(self) -> None:
        """An operator gives everything another chance."""
        self._project.run("failed", "retry", "--all", "--force")

    def kill_store(self) -> None:
        """The server dies and comes back with what it had written."""
        self._server.stop(signal.SIGKILL if isinstance(self._store, RedisServer) else signal.SIGQUIT)
        self._server.start()

    def freeze_store(self) -> None:
        """The server answers nobody for a moment."""
        signal_server(self._server, signal.SIGSTOP)
        time.sleep(0.5)  # how long the disturbance lasts; nothing could be awaited from a frozen server
        signal_server(self._server, signal.SIGCONT)

    def cut_connections(self) -> None:
        """Every connection breaks."""
        with self._redis() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal")

    def forget_scripts(self) -> None:
        """As after a restart of the server."""
        with self._redis() as client:
            client.script_flush()

    def _redis(self) -> redis.Redis:
        assert isinstance(self._store, RedisServer)
        return self._store.client()

    @property
    def _server(self) -> Server:
        assert self._store is not None
        return self._store

    # --- what came of it -------------------------------------------------------------------------------------------

    def _wait_for_work(self) -> None:
        before = len(self.lines("started")), len(self.lines("sent"))

        def goes_on() -> bool:
            self._see_to_workers()
            return len(self.lines("started")) > before[0] + 3 and len(self.lines("sent")) > before[1] + 3

        wait_until(goes_on, LONG, f"work goes on; {self._logs()}")

    def end(self) -> None:
        """Nobody sends any more."""
        for sender in self._senders:
            sender.kill()
            sender.wait(LONG)

    def drain(self) -> None:
        """The workers are left alone until nothing waits; they may take their time, but must get on."""

        def is_empty() -> bool:
            stats = self._project.json("stats", "async")
            return all(stats["transports"]["async"][count] == 0 for count in ("ready", "in_flight", "delayed"))

        empty = is_empty()
        while not empty:
            begun = len(self.lines("started"))

            def gets_on(begun: int = begun) -> bool:
                self._see_to_workers()
                return len(self.lines("started")) > begun + 100 or is_empty()

            wait_until(gets_on, LONG, f"nothing waits, or work goes on; {self._logs()}")
            empty = is_empty()

    def lines(self, name: str) -> list[str]:
        """What was noted there."""
        path: Path = self._project.directory / name
        return path.read_text().splitlines() if path.exists() else []

    def numbers(self, name: str) -> list[int]:
        """The orders noted there."""
        return [int(line.split()[0]) for line in self.lines(name)]

    def _logs(self) -> str:
        paths: Iterable[Path] = sorted(self._project.directory.glob("*.log"))
        return "\n".join(f"{path.name}: {path.read_text()[-600:]}" for path in paths if path.stat().st_size)


def signal_server(server: Server, number: signal.Signals) -> None:
    """Send it to the server and to the processes that serve its connections."""
    subprocess.run(["pkill", f"-{number.name.removeprefix('SIG')}", "-P", str(server.pid)], check=False)
    subprocess.run(["kill", f"-{number.name.removeprefix('SIG')}", str(server.pid)], check=True)
