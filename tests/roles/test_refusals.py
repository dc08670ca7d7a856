"""What the roles redis and supervisor and remove.yml refuse: every check of theirs has a case here that it stops, and
one that it lets pass.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.modules import ROLES
from tests.support.paths import ROOT

LONG = "correct-horse-battery!"
SHOP: dict[str, Any] = {
    "application": "shop",
    "users": ["shop"],
    "keys": ["orders"],
    "settings": {"redis_bind": "127.0.0.1 -::1", "redis_port": 6379, "redis_password": "0" * 64},
}
SLOW = {
    "application": "slow",
    "stop_timeout": 600,
    "hold": False,
    "settings": {"supervisor_log_maxbytes": "1MB", "supervisor_log_backups": 10},
}
# name of the host -> the check that stops it, what it must say, its variables, and what another application noted there
REDIS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any] | None]] = {
    "well": ("", "", {}, None),
    "open-with-password": ("", "", {"redis_bind": ["0.0.0.0"], "redis_password": LONG}, None),
    "ubuntu": ("Check the distribution", "works on Debian 12", {"facts": {"distribution": "Ubuntu"}}, None),
    "old": ("Check the distribution", "works on Debian 12", {"facts": {"distribution_major_version": "11"}}, None),
    "name": ("Check the variables", "redis_application is ../x", {"redis_application": "../x"}, None),
    "nowhere": ("Check the variables", "redis_bind is empty", {"redis_bind": []}, None),
    "no-port": ("Check the variables", "two different ones", {"redis_port": 0, "redis_tls_port": 0}, None),
    "half": ("Check the variables", "belong together", {"redis_tls_certificate": "-----BEGIN X"}, None),
    "open": (
        "Check the variables",
        "beyond loopback, with a password shorter than 16",
        {"redis_bind": ["127.0.0.1", "10.0.0.1"], "redis_password": "short"},
        None,
    ),
    "quote": ("Check the variables", "a quote", {"redis_password": 'a"b c'}, None),
    "default": ("Check the variables", "none is `default`", {"redis_users": [{"name": "default"}]}, None),
    "twice": ("Check the variables", "each is there once", {"redis_users": [{"name": "a"}, {"name": "a"}]}, None),
    "key": ("Check the variables", "names of streams", {"redis_users": [{"name": "a", "streams": ["*"]}]}, None),
    "weak": ("Check the variables", "shorter than 16", {"redis_users": [{"name": "a", "password": "x"}]}, None),
    "taken": (
        "Check the variables",
        "those of another application: shop (shop)",
        {"redis_users": [{"name": "shop", "password": LONG}], "redis_replace_settings": True},
        SHOP,
    ),
    "bind": (
        "Check the variables",
        "redis_bind of shop is 127.0.0.1 -::1, this one has 127.0.0.1; redis_password of shop is another",
        {"redis_bind": ["127.0.0.1"], "redis_users": [{"name": "sms", "password": LONG}]},
        SHOP,
    ),
    "replaced": ("", "", {"redis_bind": ["127.0.0.1"], "redis_replace_settings": True}, SHOP),
    "same": ("", "", {"redis_password": LONG}, SHOP | {"settings": {"redis_bind": "127.0.0.1 -::1"}}),
    "itself": ("", "", {"redis_bind": ["127.0.0.1"]}, SHOP | {"application": "messenger"}),
    "example": (
        "Check the variables",
        "from inventory/example",
        {"redis_password": "replace-this-example-password"},
        None,
    ),
    "replica": ("Check the variables", "must be a host of group redis", {"redis_replica_of": "elsewhere"}, None),
    "taken-away": (
        "Check that it takes the commands that the role needs",
        "takes commands away that the kit needs: CONFIG (rename-command",
        {"service_conf": 'rename-command CONFIG ""\nrename-command ACL ""\n'},
        None,
    ),
    "taken-away-acl": (
        "Check that it takes the commands that the role needs",
        "takes commands away that the kit needs: ACL (rename-command",
        {"service_conf": 'rename-command ACL ""\n', "redis_users": [{"name": "sms", "password": LONG}]},
        None,
    ),
    "renamed": ("", "", {"service_conf": "rename-command CONFIG configure\n"}, None),
}
SUPERVISOR: dict[str, tuple[str, str, dict[str, Any], dict[str, Any] | None]] = {
    "well": ("", "", {}, None),
    "ubuntu": ("Check the distribution", "works on Debian 12", {"facts": {"distribution": "Ubuntu"}}, None),
    "name": ("Check the name of the application", "is a name of", {"supervisor_application": "../x"}, None),
    "log": (
        "Check that other applications want the same settings",
        "supervisor_log_maxbytes of slow is 1MB, this one has 50MB",
        {},
        SLOW,
    ),
    "replaced": ("", "", {"supervisor_replace_settings": True}, SLOW),
    "socket": (
        "Check that the application may not use it",
        "control socket on socket, and so run anything as root: chown=root:daemon, chmod=0770 in",
        {
            "supervisor_application_user": "daemon",
            "service_conf": "[unix_http_server]\nchmod=0770\nchown=root:daemon\n",
        },
        None,
    ),
    "operators": (
        "",
        "",
        {
            "supervisor_application_user": "daemon",
            "service_conf": "[unix_http_server]\nchmod=0770\nchown=root:adm\n",
        },
        None,
    ),
}
PLAY = """
- hosts: all
  gather_facts: false
  module_defaults:
    messenger.kit.host_record_info: {{directory: "{notes}/{{{{ inventory_hostname }}}}"}}
    messenger.kit.redis_info: {{config: "{notes}/{{{{ inventory_hostname }}}}/service.conf"}}
    messenger.kit.supervisor_socket_info: {{config: "{notes}/{{{{ inventory_hostname }}}}/service.conf"}}
  tasks:
    - ansible.builtin.set_fact:
        distribution: "{{{{ (facts | default({{}})).distribution | default('Debian') }}}}"
        distribution_major_version: "{{{{ (facts | default({{}})).distribution_major_version | default('12') }}}}"
        distribution_version: '12.4'
        cacheable: true
    - ansible.builtin.import_role: {{name: messenger.kit.{role}, tasks_from: preflight.yml}}
"""


def playbook(file: Path, inventory: Path, *words: str) -> tuple[int, str]:
    """Exit code and words of a run."""
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, *words, file],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def refusals(directory: Path, role: str, cases: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Host -> the check that stopped it and what it said, for those that were stopped."""
    notes = directory / "notes"
    hosts: dict[str, Any] = {}
    for host, (_, _, variables, note) in cases.items():
        (notes / host / role).mkdir(parents=True)
        if note:
            (notes / host / role / "other.json").write_text(json.dumps(note))
        (notes / host / "service.conf").write_text(variables.get("service_conf", ""))
        hosts[host] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
    (directory / "hosts.yml").write_text(yaml.safe_dump({"redis": {"hosts": hosts}}))
    (directory / "play.yml").write_text(PLAY.format(role=role, notes=notes))
    more = {"redis_password_file": f"{directory}/password"}
    _, said = playbook(directory / "play.yml", directory / "hosts.yml", "-e", json.dumps(more))
    found, task = {}, ""
    for block in re.split(r"\n(?=TASK |fatal: |\[ERROR\])", said):
        if match := re.match(r"TASK \[[\w.]+ : (.*?)\] \*", block):
            task = match[1]
        elif match := re.match(r"fatal: \[([\w-]+)\]: FAILED!", block):
            found[match[1]] = (task, " ".join(block.split()))
    return found


@pytest.mark.parametrize(("role", "cases"), [("redis", REDIS), ("supervisor", SUPERVISOR)])
def test_what_a_role_refuses(tmp_path: Path, role: str, cases: dict[str, Any]) -> None:
    found = refusals(tmp_path, role, cases)
    assert {host: task for host, (task, _) in found.items()} == {
        host: case[0] for host, case in cases.items() if case[0]
    }
    for host, (_, says, _, _) in cases.items():
        assert says in found.get(host, ("", ""))[1]
        assert LONG not in found.get(host, ("", ""))[1]
    tasks = yaml.safe_load((ROLES / role / "tasks/preflight.yml").read_text())
    checks = {task["name"] for task in tasks if "ansible.builtin.assert" in task}
    assert checks == {case[0] for case in cases.values() if case[0]}, "each check has a case"


STATS = {
    "transports": {"async": {"ready": 0, "in_flight": 0, "delayed": 0}},
    "failed": {"failed": 0},
    "unreachable": {},
}


@pytest.mark.parametrize(
    ("stats", "says"),
    [
        ({"transports": {"async": {"ready": 2, "in_flight": 0, "delayed": 0}}}, "2 waiting or being handled, 0 in the"),
        ({"transports": {"async": {"ready": 0, "in_flight": 1, "delayed": 1}}}, "2 waiting or being handled, 0 in the"),
        ({"failed": {"failed": 3}}, "0 waiting or being handled, 3 in the failure store"),
        ({"unreachable": {"async": "no route"}}, "unreachable transports: async"),
        (None, "it cannot be told whether messages wait, because `messenger stats` says: no Redis"),
    ],
)
def test_remove_refuses_to_lose_messages(tmp_path: Path, stats: dict[str, Any] | None, says: str) -> None:
    answer = f"echo '{json.dumps(STATS | stats)}'" if stats is not None else "echo no Redis >&2; exit 1"
    code, said = remove(tmp_path, answer)
    assert code == 2
    assert f"Not removed: {'messages would be lost: ' if stats else ''}" in said
    assert says in said
    assert "Remove workers and application" not in said


def test_remove_goes_on_when_nothing_waits_or_it_is_said(tmp_path: Path) -> None:
    for name, answer, words in [("a", f"echo '{json.dumps(STATS)}'", []), ("b", "exit 1", ["-e", "discard=true"])]:
        (tmp_path / name).mkdir()
        _, said = remove(tmp_path / name, answer, *words)
        assert "Not removed" not in said
        assert "PLAY [Remove workers and application]" in said


def remove(directory: Path, answer: str, *words: str) -> tuple[int, str]:
    """remove.yml with --check where a release is live whose `messenger` command says ANSWER."""
    root = directory / "srv"
    for folder in ("bin", "releases/20260101000000-abc", "shared/config"):
        (root / folder).mkdir(parents=True)
    (root / "current").symlink_to(root / "releases/20260101000000-abc")
    command = root / "bin/messenger"
    command.write_text(f"#!/bin/sh\n{answer}\n")
    command.chmod(0o755)
    host = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "ansible_become": False,
        "messenger_app_root": str(root),
        "messenger_app_user": "no-such-user",
    }
    (directory / "hosts.yml").write_text(yaml.safe_dump({"workers": {"hosts": {"this": host}}}))
    code, said = playbook(ROOT / "playbooks/remove.yml", directory / "hosts.yml", "--check", *words)
    return code, " ".join(said.split())
