"""What a deploy refuses before anything changes, of Redis and of Supervisor: each is found, and says how to mend it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.roles.redis.test_replicas import MASTER
from tests.roles.redis.test_replicas import findings as redis_findings
from tests.roles.render import evaluate

CONF = "/srv/sms/shared/config/messenger-worker.conf"
SEEN: dict[str, Any] = {
    "installed": True,
    "answers": True,
    "said": "612",
    "link": {"there": True, "target": CONF},
    "stop_seconds": 90,
    "user_id": 0,
    "included": True,
}


def worker_findings(
    ansible_facts: dict[str, str] | None = None, messenger_worker_pools: list[Any] | None = None, **seen: Any
) -> list[dict[str, str]]:
    """What messenger_worker's preflight.yml finds on a host of which this was seen."""
    found: list[dict[str, str]] = evaluate(
        "{{ __messenger_worker_host_findings }}",
        "messenger_worker",
        messenger_app_root="/srv/sms",
        ansible_check_mode=False,
        ansible_facts=ansible_facts or {"service_mgr": "systemd"},
        messenger_worker_pools=messenger_worker_pools or [{"name": "a", "transports": ["async"]}],
        messenger_worker_host=SEEN | seen,
    )
    return found


def without(lines: list[str], name: str, instead: str) -> list[str]:
    return [line if not line.startswith(f"{name}:") else f"{name}:{instead}" for line in lines]


@pytest.mark.parametrize(
    ("info", "found", "change"),
    [
        (
            without(MASTER, "maxmemory_policy", "allkeys-lru"),
            "is allkeys-lru",
            "CONFIG SET maxmemory-policy noeviction",
        ),
        (without(MASTER, "aof_enabled", "0"), "append-only file is off", "CONFIG SET appendonly yes"),
        (without(MASTER, "aof_last_write_status", "err"), "cannot write", "make room on its disk"),
        (without(MASTER, "aof_last_bgrewrite_status", "err"), "cannot write", "make room on its disk"),
        ([], "Connection refused", "service redis-server start"),
    ],
)
def test_a_redis_that_would_lose_messages(info: list[str], found: str, change: str) -> None:
    (finding,) = redis_findings(info)
    assert finding["level"] == "fail"
    assert found in finding["found"]
    assert change in finding["change"]


def test_a_supervisor_that_is_well() -> None:
    assert worker_findings() == []
    assert worker_findings(link={"there": False, "target": ""}, stop_seconds=0) == []


@pytest.mark.parametrize(
    ("seen", "found", "change"),
    [
        ({"answers": False, "said": "refused"}, "it does not answer (refused)", "site.yml installs and starts"),
        (
            {"link": {"there": True, "target": "/srv/shop/x.conf"}},
            "/srv/shop/x.conf",
            "another messenger_worker_conf_name",
        ),
        ({"link": {"there": True, "target": ""}}, "but a file", "another messenger_worker_conf_name"),
        ({"user_id": 33}, "runs as user 33", "no `user` in section [supervisord]"),
        (
            {"included": False},
            "does not include /etc/supervisor/conf.d/messenger-worker.conf",
            "files = /etc/supervisor",
        ),
        ({"stop_seconds": 60}, "after 60 seconds, but a worker may take 60", "site.yml sets it right"),
    ],
)
def test_a_supervisor_that_would_not_do(seen: dict[str, Any], found: str, change: str) -> None:
    (finding,) = worker_findings(**seen)
    assert finding["level"] == "fail"
    assert found in finding["found"]
    assert change in finding["change"]


@pytest.mark.parametrize(
    ("service_mgr", "logfile", "refused"),
    [
        ("systemd", "/dev/stdout", True),
        ("systemd", "syslog", False),
        ("sysvinit", "/dev/stdout", False),
    ],
)
def test_a_log_to_the_standard_output_is_for_containers(service_mgr: str, logfile: str, refused: bool) -> None:
    pools = [{"name": "a", "transports": ["async"], "redirect_stderr": False, "stderr_logfile": logfile}]
    found = worker_findings(ansible_facts={"service_mgr": service_mgr}, messenger_worker_pools=pools)
    assert [row["where"] for row in found] == ["messenger_worker_pools"] * refused
