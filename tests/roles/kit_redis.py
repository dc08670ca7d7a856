"""A real redis-server that runs with the files of the role redis."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import redis
import yaml

from tests.roles.render import evaluate, render
from tests.support.modules import MODULES, ROLES, load
from tests.support.servers import RedisServer

ADMINISTRATOR = "correct-horse-battery!"


def paths_in(directory: Path, text: str) -> str:
    """The text of a file of the role with the files that it names in DIRECTORY, as auth.conf, users.acl, server.pem."""
    return re.sub("/etc/redis/messenger-kit-(tls/)?", f"{directory}/", text)


def content(task: str, **variables: Any) -> str:
    """What a task of configure.yml writes."""
    tasks = yaml.safe_load((ROLES / "redis/tasks/configure.yml").read_text())
    (found,) = [each for block in tasks for each in [block, *block.get("block", [])] if each["name"] == task]
    return str(evaluate(found["ansible.builtin.copy"]["content"], "redis", **variables))


def role_module(name: str) -> ModuleType:
    """One of the role's modules."""
    return load(MODULES / f"{name}.py")


class KitRedis(RedisServer):
    """A redis-server with the role's configuration. variables: what an inventory would set."""

    def __init__(self, **variables: Any) -> None:
        super().__init__()
        self.config = self.directory / "kit.conf"
        self.variables: dict[str, Any] = {
            "redis_port": self.port,
            "redis_bind": ["127.0.0.1"],
            "redis_password": ADMINISTRATOR,
        }
        self.configure(**variables)

    def configure(self, **variables: Any) -> None:
        """Write the files again, with other variables besides those from before."""
        self.variables |= variables
        for template, file in (("messenger-kit-auth.conf.j2", "auth.conf"), ("messenger-kit.conf.j2", "kit.conf")):
            text = render(ROLES / "redis/templates" / template, "redis", **self.variables)
            (self.directory / file).write_text(paths_in(self.directory, text))
        users = content("Create the administrator and the users of the kit", **self.variables)
        if self.variables.get("redis_users"):
            users += content("Create the users of the application", **self.variables)
        (self.directory / "users.acl").write_text(users)
        with self.config.open("a") as config:
            config.write(f"\ndir {self.directory}\n")

    def command(self) -> Sequence[str]:
        return [self._binary, str(self.config)]

    def client(self) -> redis.Redis:
        return redis.Redis(host="127.0.0.1", port=self.port, password=ADMINISTRATOR)

    def local(self) -> Any:
        """How the role's modules reach it."""
        module = role_module("redis_users")
        return module.Server(Path(self.config))
