"""The inventories to copy: what their variables come to, and which hosts the plays are for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from messenger.redis.dsn import parse_redis_dsn
from tests.support.paths import ROOT

BIN = Path(sys.executable).parent


def ansible(program: str, inventory: str, *arguments: str) -> str:
    """What an Ansible command says, with the vault's values that the inventory shows."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    command = [str(BIN / program), "--inventory", str(ROOT / "inventory" / inventory), *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def value(inventory: str, host: str, expression: str) -> Any:
    said = ansible("ansible", inventory, host, "-m", "debug", "-a", f"msg={{{{ {expression} }}}}")
    return json.loads(said[said.index("{") :])["msg"]


def test_the_example_s_workers_use_their_own_user_over_tls() -> None:
    dsn, users = value("example", "worker1", "[messenger_app_env.MESSENGER_TRANSPORT_DSN, redis_users]")
    options = parse_redis_dsn("async", dsn)
    assert (options.host, options.port, options.tls) == ("10.0.0.10", 6379, True)
    assert options.ssl["ssl_ca_certs"] == "/srv/sms/shared/config/redis-ca.pem"
    workers, web = users
    assert (workers["name"], workers["password"]) == (options.user, options.password)
    assert (web["rights"], web["streams"]) == ("producer", [options.stream])
    assert (options.password or "").startswith("replace-this-example")


def test_a_group_of_hosts_has_pools_of_its_own() -> None:
    assert value("example", "worker1", "messenger_worker_pools | map(attribute='name')") == ["messenger-consume"]
    pools, layout = value("example", "worker3", "[messenger_worker_pools, messenger_worker_layout]")
    assert [(pool["name"], pool.get("stop_timeout")) for pool in pools] == [("messenger-consume", None), ("heavy", 600)]
    assert (pools[0]["priority"], layout) == (10, "slots")


def test_an_external_redis_needs_to_be_named_only() -> None:
    options = parse_redis_dsn("async", value("external", "worker1", "messenger_app_env.MESSENGER_TRANSPORT_DSN"))
    assert (options.host, options.tls, options.user) == ("redis.example.com", True, "sms")


def test_workers_ask_all_sentinels_and_wait_for_a_replica() -> None:
    dsn, master, sentinels = value(
        "sentinel",
        "redis2",
        "[messenger_app_env.MESSENGER_TRANSPORT_DSN, redis_replica_of, redis_sentinel_name]",
    )
    options = parse_redis_dsn("async", dsn)
    assert options.sentinels == (("10.0.0.11", 26379), ("10.0.0.12", 26379), ("10.0.0.13", 26379))
    assert (options.sentinel_master, options.tls, options.user, options.wait_replicas) == (sentinels, True, "sms", 1)
    assert master == "redis1"


def test_without_hosts_for_redis_site_is_for_the_workers_alone() -> None:
    said = ansible("ansible-playbook", "external", "playbooks/site.yml", "--list-hosts")
    play = r"play #\d+ .*?: (.*?)\tTAGS.*?\n.*\n +hosts \((\d+)\)"
    hosts = {name: int(count) for name, count in re.findall(play, said)}
    assert hosts["Set up Redis"] == 0
    assert hosts["Make the release live, batch by batch"] == 2
