"""A real supervisord in a directory of its own, reached through its socket."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import wait_until

LONG = 40.0
CONF = """
[supervisord]
nodaemon=true
logfile={directory}/supervisord.log
pidfile={directory}/supervisord.pid
childlogdir={directory}
loglevel=info

[unix_http_server]
file={directory}/s.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{directory}/s.sock
"""
PROGRAM = """
[program:{name}]
command={python} -m messenger.cli consume {arguments}
directory={project}
environment={environment}
process_name={process_name}
autostart=true
autorestart=true
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile={directory}/{process_name}.log
numprocs={numprocs}
startsecs={startsecs}
startretries={startretries}
stopwaitsecs={stopwaitsecs}
"""


class Supervisord:
    """Started with one program; ended through its pid, and its children with it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log_path = directory / "supervisord.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.orphans: list[int] = []
        binary = shutil.which("supervisord", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if binary is None:
            pytest.fail("supervisord is not installed; on Debian: apt-get install supervisor")
        self._binary = Path(binary)

    def start(
        self,
        project: Path,
        environment: dict[str, str],
        arguments: str,
        *,
        numprocs: int = 1,
        startsecs: int = 1,
        startretries: int = 3,
        stopwaitsecs: int = 40,
    ) -> None:
        """Start it with `messenger consume ARGUMENTS` as its program."""
        values: dict[str, Any] = {"startsecs": startsecs, "startretries": startretries, "stopwaitsecs": stopwaitsecs}
        self.write(self.program(project, environment, arguments, numprocs=numprocs, **values))
        self.launch()

    def program(
        self,
        project: Path,
        environment: dict[str, str],
        arguments: str,
        *,
        name: str = "messenger-consume",
        process_name: str = "%(program_name)s_%(process_num)02d",
        **values: int,
    ) -> str:
        """A section that runs `messenger consume ARGUMENTS`."""
        return PROGRAM.format(
            python=sys.executable,
            arguments=arguments,
            project=project,
            directory=self.directory,
            environment=",".join(f'{name}="{value}"' for name, value in environment.items()),
            name=name,
            process_name=process_name,
            **{"numprocs": 1, "startsecs": 1, "startretries": 3, "stopwaitsecs": 40, **values},
        )

    @property
    def conf(self) -> Path:
        """Its configuration."""
        return self.directory / "supervisord.conf"

    def write(self, *programs: str) -> None:
        """Have these programs in its configuration, for it to read."""
        self.conf.write_text("".join([CONF.format(directory=self.directory), *programs]))

    def launch(self) -> None:
        """Start it with the configuration that was written, and wait until it answers.

        Whoever asks earlier finds no socket.
        """
        with (self.directory / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                [self._binary, "-c", self.conf],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        wait_until(self._answers, LONG, f"supervisord to answer:\n{self.log}")

    def _answers(self) -> bool:
        """Whether supervisorctl reaches it."""
        assert self._process is not None
        if self._process.poll() is not None:
            pytest.fail(f"supervisord ended at once:\n{(self.directory / 'console.log').read_text()}")
        return self.ctl("pid").strip() == str(self._process.pid)

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def worker_log(self, number: int = 0) -> str:
        """What a worker wrote so far."""
        path = self.directory / f"messenger-consume_{number:02d}.log"
        return path.read_text() if path.exists() else ""

    def spawns(self) -> list[int]:
        """The pid of every process it has started, in order."""
        return [int(pid) for pid in re.findall(r"spawned: '\S+' with pid (\d+)", self.log)]

    def lives(self) -> list[float]:
        """How many seconds each process that has ended lived, in order."""
        moments = re.findall(r"^(\S+ \S+),(\d+) (?:INFO|WARN) (?:spawned|exited):", self.log, re.MULTILINE)
        times = [datetime.fromisoformat(f"{when}.{ms}").timestamp() for when, ms in moments]
        return [end - begin for begin, end in zip(times[::2], times[1::2], strict=False)]

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until its log has this text so often."""
        wait_until(lambda: self.log.count(text) >= times, LONG, f"{times} times {text!r} in the log:\n{self.log}")

    def ctl(self, *arguments: str) -> str:
        """Run supervisorctl; what it printed."""
        done = subprocess.run(
            [self._binary.parent / "supervisorctl", "-c", self.conf, *arguments],
            capture_output=True,
            text=True,
            timeout=LONG + 20,
        )
        return done.stdout + done.stderr

    def kill(self) -> None:
        """End supervisord alone, as `kill -9` and the kernel's memory killer do."""
        assert self._process is not None
        self.orphans += [pid for pid in self.spawns() if _is_worker(pid)]
        self._process.kill()
        self._process.wait(LONG)
        self._process = None

    def stop(self) -> None:
        """End it and everything it runs."""
        self._end_orphans()
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(LONG)
            except subprocess.TimeoutExpired:  # a SIGTERM just after a fork never reaches the worker to be
                self.kill()
                self._end_orphans()
        self._process = None
        self._end_detached()

    def _end_detached(self) -> None:
        """Workers that went on in the background, and still do: their --detach-log lies in this directory."""
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.fsencode(self.directory) in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)

    def _end_orphans(self) -> None:
        """Workers that a killed supervisord left behind; each leads a group of its own."""
        for pid in self.orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.orphans = []


def _is_worker(pid: int) -> bool:
    """Whether this process still runs, and is no other that was given the number since."""
    try:
        return b"messenger.cli" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
