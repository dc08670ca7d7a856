#!/usr/bin/python
"""Ansible module: the Redis or Sentinel of this host runs with its settings, or does not run; and that is proved."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server, settings

DOCUMENTATION = r"""
module: redis_service
short_description: Start, restart or stop Redis, and prove it
description:
  - Init scripts say that they stopped or restarted a server when they did not, for example in a container without
    C(SYS_PTRACE), where they cannot tell what a process is. So this looks at the process itself. One that goes on after
    its service was stopped is sent SIGTERM, which Redis takes as the order to save and end.
  - C(started) restarts a server that runs with other settings than those of O(settings), or is older than O(newer),
    and asks the server for all of them afterwards. C(stopped) ends when no process is left and nothing answers at its
    ports.
  - Runs in check mode too and changes nothing then.
options:
  name:
    description: The service, which is also the name of its program.
    choices: [redis-server, redis-sentinel]
    type: str
    required: true
  state:
    description: What is wanted.
    choices: [started, restarted, stopped]
    type: str
    required: true
  config:
    description: >-
      The server's configuration file, which names its port and its pid file. The default is that of Debian's package.
    type: path
  settings:
    description: The file of those settings that must be in force. Empty means that none is asked for.
    type: path
    default: ""
  newer:
    description: A server that started before one of these files changed is restarted.
    type: list
    elements: path
    default: []
  seconds:
    description: How long a server may take to end; and how long to answer after its start.
    type: int
    default: 120
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Start Redis, or restart it with other settings
  messenger.kit.redis_service:
    name: redis-server
    state: started
    config: /etc/redis/redis.conf
"""

RETURN = r"""
pid: {description: Of the server that runs; 0 when none does., returned: success, type: int}
reasons: {description: Why it was restarted, returned: success, type: list}
"""

CONFIGS = {"redis-server": "/etc/redis/redis.conf", "redis-sentinel": "/etc/redis/sentinel.conf"}
LOG_LINES = 10
POLL_SECONDS = 0.1
# A file that says nothing of these leaves them empty, or 0.
EMPTY_BY_DEFAULT = (
    "requirepass",
    "maxmemory",
    "aclfile",
    "tls-port",
    "masteruser",
    "masterauth",
    "replica-announce-ip",
)
UNITS = {"k": 1000, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}


class Process(NamedTuple):
    """A process, told from a later one with the same number by its start, in ticks since boot."""

    pid: int
    started: int


class Failed(Exception):
    """It cannot be brought to the state; the words are for people."""


def process(directory: Path, name: str) -> tuple[Process, str] | None:
    """The process of /proc/PID and its title, if its program is NAME. Needs no right to trace it."""
    try:
        if (directory / "comm").read_text().strip() != name:
            return None
        title = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state, *fields = (directory / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # ended meanwhile
        return None
    return None if state in "ZX" else (Process(int(directory.name), int(fields[18])), title)


class Service:
    """A service of this host, as its configuration file describes it."""

    def __init__(self, name: str, config: Path, seconds: int, proc: Path = Path("/proc")) -> None:
        self.name, self.config, self.seconds, self._proc = name, config, seconds, proc
        known = settings(config) if config.exists() else {}
        self.pid_file = Path(known.get("pidfile", ["/nonexistent"])[0])
        self.log = Path(known.get("logfile", ["/nonexistent"])[0])
        ports = [known.get(each, ["0"])[0] for each in ("port", "tls-port")]
        self.ports = [int(port) for port in ports if port != "0"]

    def running(self) -> Process | None:
        """The process that the pid file names, else one whose title has the port."""
        found = [each for path in self._proc.glob("[0-9]*") if (each := process(path, self.name))]
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            pid = 0
        at_port = re.compile(rf":({'|'.join(map(str, self.ports)) or 'none'})\b")
        by_number = [each for each, _ in found if each.pid == pid]
        return next(iter(by_number + [each for each, title in found if at_port.search(title)]), None)

    def started_before(self, files: list[str]) -> list[str]:
        """Those of FILES that changed after the server wrote its pid file."""
        try:
            since = self.pid_file.stat().st_mtime
        except OSError:
            return [f"{self.pid_file} is missing"]
        return [f"{file} is newer" for file in files if Path(file).exists() and Path(file).stat().st_mtime > since]

    def start(self) -> None:
        """Raises Failed when there is no process in time."""
        said = self._service("start")
        if not self._until(self.running):
            raise Failed(f"{self.name} does not run after `service {self.name} start`: {said or 'it said nothing'}")

    def stop(self) -> None:
        """Raises Failed while a process is left, or something answers at a port."""
        before = self.running()
        said = self._service("stop")
        if before and self.running() == before:
            os.kill(before.pid, signal.SIGTERM)
        if not self._until(lambda: self.running() is None):
            raise Failed(
                f"{self.name} (pid {before.pid if before else 0}) goes on {self.seconds} s after "
                f"`service {self.name} stop`, which said: {said or 'nothing'}"
            )
        if not self._until(lambda: not any(map(answers, self.ports))):
            raise Failed(
                f"{self.name} was stopped, but something still answers at port "
                f"{', '.join(str(port) for port in self.ports if answers(port))}; `ss -ltnp` says what"
            )

    def last_words(self) -> str:
        """Return the end of its log, under its name; empty when it has none."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            return ""
        return "\n".join([f"Last lines of {self.log}:", *lines])

    def _service(self, action: str) -> str:
        path = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"  # that of `su` has no sbin
        command = ["env", f"PATH={path}", "service", self.name, action]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return " ".join((ran.stderr or ran.stdout).split())

    def _until(self, holds: Callable[[], object]) -> bool:
        deadline = time.monotonic() + self.seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def answers(port: int) -> bool:
    """Whether this host takes connections at PORT."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def plain(value: str) -> str:
    """A value in one spelling: Redis says sizes in bytes."""
    size = re.fullmatch(r"(\d+)([kmg]b?)", value.lower())
    return str(int(size[1]) * UNITS[size[2]]) if size else value


def overridden(server: Server, config: Path, file: Path) -> list[str]:
    """The names of the settings of FILE that are not in force. Raises RedisError."""
    everything = settings(config)
    wanted = {name: " ".join(map(plain, values)) for name, values in settings(file).items()}
    wanted |= {name: "" for name in EMPTY_BY_DEFAULT if name not in everything}
    found = server.call(["CONFIG", "GET", *wanted])
    pairs = dict(zip(found[::2], found[1::2], strict=False))
    known = {name: value for name, value in wanted.items() if name in pairs}
    return sorted(name for name, value in known.items() if pairs[name] not in ({"", "0"} if value == "" else {value}))


def differences(service: Service, file: str) -> list[str]:
    """What of FILE is not in force, or why the server cannot be asked."""
    if not file:
        return []
    try:
        names = overridden(Server(service.config), service.config, Path(file))
    except (RedisError, OSError, ValueError, subprocess.SubprocessError) as error:
        return [str(error)]
    return [f"{name} is another" for name in names]


def bring(service: Service, state: str, file: str, newer: list[str], *, change: bool) -> tuple[bool, list[str]]:
    """Whether something changed, or would, and why a server that ran was restarted. Raises Failed."""
    before = service.running()
    if state == "stopped":
        if before and change:
            service.stop()
        return before is not None, []
    reasons = ["asked for"] if state == "restarted" else []
    if before and not reasons:
        reasons = service.started_before(newer) + differences(service, file)
    if not change or before and not reasons:
        return not before or bool(reasons), reasons
    if before:
        service.stop()
    service.start()
    if before and service.running() == before:
        raise Failed(f"{service.name} was not restarted: pid {before.pid} goes on")
    deadline = time.monotonic() + service.seconds
    while left := differences(service, file):
        if time.monotonic() > deadline or all(each.endswith(" is another") for each in left):
            raise Failed(
                f"{service.name} runs with other settings than those of {file}: {'; '.join(left)}. Something after the "
                f"line `include {file}` in {service.config} overrides them"
            )
        time.sleep(POLL_SECONDS)
    return True, reasons if before else []


def main() -> None:
    """Bring it to the state, or say in one line why not."""
    module = AnsibleModule(
        argument_spec={
            "name": {"choices": ["redis-server", "redis-sentinel"], "required": True},
            "state": {"choices": ["started", "restarted", "stopped"], "required": True},
            "config": {"type": "path"},
            "settings": {"type": "path", "default": ""},
            "newer": {"type": "list", "elements": "path", "default": []},
            "seconds": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    service = Service(given["name"], Path(given["config"] or CONFIGS[given["name"]]), given["seconds"])
    try:
        changed, reasons = bring(
            service, given["state"], given["settings"], given["newer"], change=not module.check_mode
        )
    except (Failed, OSError, ValueError) as error:
        module.fail_json(msg=f"{error}\n{service.last_words()}".strip())
    running = service.running()
    module.exit_json(changed=changed, reasons=reasons, pid=running.pid if running else 0)


if __name__ == "__main__":
    main()
