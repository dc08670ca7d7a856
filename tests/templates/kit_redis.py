"""A real redis-server that runs with the files of the role redis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import redis

from tests.integration.servers import RedisServer
from tests.templates.modules import MODULES, ROLES, load
from tests.templates.render import render

ADMINISTRATOR = "correct-horse-battery!"
_TEMPLATES = {
    "__redis_auth_file": "auth.conf",
    "__redis_users_file": "users.acl",
    "__redis_tls_file": "server.pem",
    "__redis_tls_ca_file": "authority.pem",
}
_FILES = (
    (("-auth.conf",), "auth.conf"),
    (("-users.acl", "-application.acl"), "users.acl"),
    ((".conf",), "kit.conf"),
)
_NEEDS = {"-application.acl": "redis_users"}  # tasks/users.yml


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
        paths = {name: str(self.directory / file) for name, file in _TEMPLATES.items()}
        for templates, file in _FILES:
            wanted = [each for each in templates if each not in _NEEDS or self.variables.get(_NEEDS[each])]
            sources = [ROLES / f"redis/templates/messenger-kit{template}.j2" for template in wanted]
            rendered = [render(source, "redis", **self.variables, **paths) for source in sources]
            (self.directory / file).write_text("".join(rendered))
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
