"""The hosts the deploys are measured on: containers reached over SSH, one with Redis and the others with workers."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

KIT = Path(__file__).resolve().parents[2]
CONTAINER = KIT / "molecule/shared/container.sh"
NETWORK = "kit-bench"
REDIS = "redis1"


@dataclass
class Fleet:
    """`workers` hosts and a Redis; `with` starts them and takes them away.

    Args:
        workers: how many hosts run workers.
        work: an empty directory for the inventory and the applications.
    """

    workers: int
    work: Path
    inventory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = self.work / "hosts.yml"

    @property
    def names(self) -> list[str]:
        return [f"worker{number}" for number in range(1, self.workers + 1)]

    def __enter__(self) -> Fleet:
        subprocess.run([KIT / "molecule/shared/engine.sh"], check=True)
        self.take_away()
        _podman("network", "create", "--label", "messenger-kit", NETWORK)
        for name in [REDIS, *self.names]:
            command = ["start", f"{NETWORK}-{name}", "--no-systemd", "--network", NETWORK, "--network-alias", name]
            _container(*command)
        self.write_inventory()
        return self

    def __exit__(self, *_: object) -> None:
        self.take_away()

    def take_away(self) -> None:
        """Remove the containers of this and of earlier runs."""
        found = _podman("ps", "--all", "--filter", f"name=^{NETWORK}-", "--format", "{{.Names}}").split()
        if found:
            _container("stop", *found)
        subprocess.run(["podman", "network", "rm", "--force", NETWORK], capture_output=True, check=False)

    def write_inventory(self) -> None:
        """Names, addresses, and the variables a first user would set."""
        state = os.environ["KIT_STATE"]
        hosts = {
            name: {"ansible_host": "127.0.0.1", "ansible_port": int(_container("port", f"{NETWORK}-{name}"))}
            for name in [REDIS, *self.names]
        }
        variables = {
            "ansible_user": "deploy",
            "ansible_ssh_private_key_file": f"{state}/id_ed25519",
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            "redis_bind": ["0.0.0.0"],
            "redis_password_file": str(self.work / "redis-password"),
            "app_password": "bench-only-password",
            "redis_users": [
                {"name": "app", "rights": "application", "password": "{{ app_password }}", "application": "sms"}
            ],
            "messenger_app_source": str(self.work / "app"),
            "messenger_app_name": "app",
            "messenger_app_env": {
                "MESSENGER_TRANSPORT_DSN": "redis://app:{{ app_password }}@redis1:6379/messages",
                "SMS_LOG": "/srv/app/shared/var/sms.txt",
            },
            "messenger_worker_accepted_checks": ["redis-tls"],
        }
        inventory = {
            "all": {
                "vars": variables,
                "children": {
                    "redis": {"hosts": {REDIS: hosts[REDIS]}},
                    "workers": {"hosts": {name: hosts[name] for name in self.names}},
                },
            }
        }
        self.inventory.write_text(yaml.safe_dump(inventory), encoding="utf-8")


def _podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], check=True, capture_output=True, text=True).stdout


def _container(*arguments: str) -> str:
    return subprocess.run([CONTAINER, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
