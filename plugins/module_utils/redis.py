"""How the role's modules reach the Redis of the host they run on: by its own configuration files."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

EVERYWHERE = ("*", "0.0.0.0", "::", "localhost")


class RedisError(Exception):
    """Redis, or redis-cli, says no; the text is for people."""


def settings(file: Path, found: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Every directive of FILE and of what it includes, with its arguments; the last one wins, as in Redis."""
    found = {} if found is None else found
    for line in file.read_text(errors="replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, *values = shlex.split(line)
        if name.lower() == "include":
            for included in sorted(Path("/").glob(values[0].lstrip("/"))):
                settings(included, found)
        elif name.lower() == "rename-command":
            found[f"rename-command {values[0].lower()}"] = values[1:]
        else:
            found[name.lower()] = values
    return found


class Server:
    """The Redis of this host, as its configuration files describe it. Logs in as the default user."""

    def __init__(self, config: Path) -> None:
        try:
            known = settings(config)
        except (OSError, ValueError) as error:
            raise RedisError(f"cannot read {config}: {error}") from error
        host = known.get("bind", ["127.0.0.1"])[0].lstrip("-")
        self.host = "127.0.0.1" if host in EVERYWHERE else host
        self.port = known.get("port", ["6379"])[0]
        self._options: list[str] = []
        if self.port == "0":  # TLS only
            self.port = known.get("tls-port", ["0"])[0]
            # Without --cacert redis-cli trusts the system's authorities; it never compares names.
            authority = known.get("tls-ca-cert-file", [""])[0]
            self._options = ["--tls", *(["--cacert", authority] if authority else [])]
        self._known = known
        self._environment = dict(os.environ)
        password = known.get("requirepass", [""])[0]
        if password:
            self._environment["REDISCLI_AUTH"] = password

    def call(self, argv: list[str], more: str | None = None) -> list[str]:
        """The lines of the reply to one command; or, with an empty argv, to the commands in `more`, one a line.

        Raises RedisError. What is in `more` never shows in the process list.
        """
        argv = [*map(self._name, argv[:1]), *argv[1:]]
        if more is not None:
            more = "".join(" ".join([self._name(line.split(" ", 1)[0]), *line.split(" ", 1)[1:]]) + "\n"
                           for line in more.splitlines())  # fmt: skip
        try:
            result = subprocess.run(
                ["redis-cli", "-e", "-h", self.host, "-p", self.port, *self._options, "--raw", *argv],
                env=self._environment,
                input=more,
                stdin=subprocess.DEVNULL if more is None else None,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RedisError(f"Redis at {self.host}:{self.port} on this host gives no answer within 60 s") from None
        if result.returncode:
            said = (result.stderr or result.stdout).strip()
            raise RedisError(f"Redis at {self.host}:{self.port} on this host: {said}")
        return result.stdout.splitlines()

    def _name(self, command: str) -> str:
        """What the server calls a command. Raises RedisError for one that its configuration takes away."""
        name = self._known.get(f"rename-command {command.lower()}", [command])[0]
        if not name:
            raise RedisError(
                f"its configuration takes the command {command} away (rename-command), which the kit needs"
            )
        return name
