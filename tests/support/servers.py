"""Real servers for tests: each on a free port of 127.0.0.1, in a directory of its own, ended through its pid.

A server that is not installed is a failure that says what to install, never a skip.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest
import redis

START_SECONDS = 30.0
STOP_SECONDS = 30.0
POSTGRES_PASSWORD = "s3cr3t-of-the-test-database"


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as the condition holds; fail the test when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


class Server:
    """A server process this test session started."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; fails when it does not run."""
        assert self._process is not None, f"{type(self).__name__} is not running"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def command(self) -> Sequence[str]:
        """The command line, in the foreground."""
        raise NotImplementedError

    def user(self) -> str | None:
        """The account it runs as; None: ours."""
        return None

    def answers(self) -> bool:
        """Whether it takes commands."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, on the same port and data as before, and return once it takes commands."""
        if self.running:
            return
        user = self.user()
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,
            )
        wait_until(self._answers_or_died, START_SECONDS, f"{self.command()[0]} did not answer on port {self.port}")

    def _answers_or_died(self) -> bool:
        if not self.running:
            pytest.fail(f"{self.command()[0]} ended at start:\n{(self.directory / 'server.log').read_text()[-2000:]}")
        return self.answers()

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """End it and wait until it is gone. Its data stays. SIGINT is the quick, clean way for both servers."""
        if self._process is None:
            return
        if self.running:
            os.kill(self._process.pid, with_signal)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def destroy(self) -> None:
        """End it and remove its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class RedisServer(Server):
    """A redis-server whose data survives stop() and start()."""

    def __init__(self) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.fail("redis-server is not installed; on Debian: apt-get install redis-server")
        self._binary = binary
        super().__init__(Path(tempfile.mkdtemp(prefix="messenger-redis-")))

    def url(self, path: str = "") -> str:
        """A DSN of this server; `path` is appended, for example "/stream/group" or "?auto_setup=false"."""
        return f"redis://127.0.0.1:{self.port}{'' if path[:1] in ('', '/', '?') else '/'}{path}"

    def client(self) -> redis.Redis:
        """A new client of this server; close it."""
        return redis.Redis(host="127.0.0.1", port=self.port)

    def command(self) -> Sequence[str]:
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.directory, "save": "", "appendonly": "yes"}
        return [self._binary, *(part for name, value in options.items() for part in (f"--{name}", str(value)))]

    def answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def clear(self) -> None:
        """Remove every key."""
        with self.client() as client:
            client.flushall()


class PostgresServer(Server):
    """A PostgreSQL server with one database and a password."""

    def __init__(self) -> None:
        self._bin = _postgres_bin()
        super().__init__(Path(tempfile.mkdtemp(prefix="messenger-postgres-")))
        self._initialise()

    @property
    def url(self) -> str:
        """The SQLAlchemy and psycopg URL of the database, password included."""
        return f"postgresql://messenger:{POSTGRES_PASSWORD}@127.0.0.1:{self.port}/messenger"

    def user(self) -> str | None:
        if os.geteuid() != 0:
            return None  # PostgreSQL refuses to run as root, and only as root.
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    def command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "timezone": "America/St_Johns",  # An odd zone shows at once where UTC was forgotten.
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._bin / "postgres"), "-D", str(self.directory / "data"), *options]

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        super().start()
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'messenger'").fetchone():
                connection.execute("CREATE DATABASE messenger")

    def execute(self, statement: str, *, database: str = "messenger") -> list[tuple[object, ...]]:
        """Run one statement; the rows it gives, if any."""
        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def clear(self) -> None:
        """Remove every table. Sessions a test left behind are ended, so that they hold no locks."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'messenger' AND pid <> pg_backend_pid()"
        )
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def _conninfo(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=messenger password={POSTGRES_PASSWORD} dbname={database}"

    def _initialise(self) -> None:
        user = self.user()
        password_file = self.directory / "password"
        password_file.write_text(POSTGRES_PASSWORD)
        if user:
            shutil.chown(self.directory, user)
            shutil.chown(password_file, user)
        initdb = [str(self._bin / "initdb"), "-D", str(self.directory / "data"), "-U", "messenger", "--no-sync"]
        result = subprocess.run(
            [*initdb, "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password_file}"],
            cwd=self.directory,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            pytest.fail(f"initdb failed:\n{result.stdout}{result.stderr}")


def _postgres_bin() -> Path:
    """The newest PostgreSQL's programs; Debian does not put them on the PATH."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    return Path(on_path).resolve().parent
