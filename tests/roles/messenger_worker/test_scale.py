"""Numbers of processes: what scale.yml sets, what a host keeps of it, and what the inventory takes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.roles.render import evaluate, render
from tests.support.modules import MODULES, ROLES, load
from tests.support.paths import ROOT

module = load(MODULES / "workers_info.py")
POOLS: list[dict[str, Any]] = [
    {"name": "mail", "transports": ["async"], "processes": 4},
    {"name": "heavy", "transports": ["reports"]},
]


def value(expression: str, pools: list[dict[str, Any]] | None = None, **given: Any) -> Any:
    return evaluate(f"{{{{ {expression} }}}}", "messenger_worker", messenger_worker_pools=pools or POOLS, **given)


def numbers(pools: list[dict[str, Any]] | None = None, **given: Any) -> dict[str, int]:
    """Processes by pool, as the template gets them."""
    programs = value("messenger_worker_programs", pools, **given)
    return {program["name"]: program["processes"] for program in programs}


def noted(tmp_path: Path, **given: Any) -> Any:
    """What preflight.yml reads from the configuration that scale.yml writes."""
    text = render(
        ROOT / "templates/messenger-worker.conf.j2",
        "messenger_worker",
        messenger_worker_pools=POOLS,
        messenger_app_name="sms",
        messenger_app_root="/srv/sms",
        messenger_app_user="sms",
        **given,
    )
    conf = tmp_path / "messenger-worker.conf"
    conf.write_text(text)
    names = {"root": "srv", "link": "link", "unit": "unit", "config": "supervisord.conf"}
    return module.host({key: str(tmp_path / name) for key, name in names.items()} | {"conf": str(conf)})["scaled"]


def test_the_inventory_s_numbers() -> None:
    assert numbers() == {"mail": 4, "heavy": 1}


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_what_scale_gave_stays_until_the_inventory_says_another_number(tmp_path: Path, layout: str) -> None:
    asked: dict[str, Any] = {"messenger_worker_scale_pool": "mail", "messenger_worker_scale_processes": "6"}
    assert numbers(**asked) == {"mail": 6, "heavy": 1}
    seen = noted(tmp_path, messenger_worker_layout=layout, **asked)
    assert numbers(messenger_worker_host={"scaled": seen}) == {"mail": 6, "heavy": 1}
    programs = "messenger_worker_programs | messenger.kit.scaled_pools"
    assert value(programs, messenger_worker_host={"scaled": seen}) == ["mail 6"]
    other = [POOLS[0] | {"processes": 5}, POOLS[1]]
    assert numbers(other, messenger_worker_host={"scaled": seen}) == {"mail": 5, "heavy": 1}
    assert numbers(POOLS[1:], messenger_worker_host={"scaled": seen}) == {"heavy": 1}


def test_a_second_pool_leaves_the_first_as_it_was_scaled(tmp_path: Path) -> None:
    seen = noted(tmp_path, messenger_worker_scale_pool="mail", messenger_worker_scale_processes=6)
    asked = {"messenger_worker_scale_pool": "heavy", "messenger_worker_scale_processes": 2}
    again = noted(tmp_path, messenger_worker_host={"scaled": seen}, **asked)
    assert numbers(messenger_worker_host={"scaled": again}) == {"mail": 6, "heavy": 2}


def test_the_inventory_s_own_number_takes_it_back(tmp_path: Path) -> None:
    seen = noted(tmp_path, messenger_worker_scale_pool="mail", messenger_worker_scale_processes=6)
    asked = {"messenger_worker_scale_pool": "mail", "messenger_worker_scale_processes": 4}
    assert noted(tmp_path, messenger_worker_host={"scaled": seen}, **asked) == []


def report(told: dict[str, Any], workers: list[dict[str, Any]]) -> str:
    host = {
        "messenger_worker_pools": POOLS,
        "__messenger_worker_supervised": told,
        "__messenger_worker_before": {"stdout": json.dumps({"workers": workers})},
    }
    return render(
        ROLES / "messenger_worker/templates/scale.txt.j2",
        "messenger_worker",
        messenger_worker_scale_pool="mail",
        messenger_worker_scale_processes=2,
        ansible_play_batch=["host1"],
        ansible_check_mode=False,
        hostvars={"host1": host},
    )


def test_the_report_says_what_became_of_each_process() -> None:
    message = {"id": "7-0", "type": "App\\Sms", "seconds": 3}
    text = report(
        {
            "kept": [{"process": "mail-00", "pid": 1}, {"process": "heavy-00", "pid": 9}],
            "started": [{"process": "mail-01", "pid": 8}],
            "stopped": [
                {"process": "mail-02", "pid": 2, "seconds": 1.5, "exit": 0},
                {"process": "mail-03", "pid": 3, "seconds": 60.1, "exit": -1},
                {"process": "mail-04", "pid": 4, "seconds": 55.0, "exit": 75},
                {"process": "mail-05", "pid": 5, "seconds": 55.0, "exit": 75},
            ],
        },
        [{"pid": 3, "message": message}, {"pid": 4, "message": None}, {"pid": 6, "front": 5, "message": message}],
    )
    assert text.splitlines() == [
        "host1: pool mail has 2 processes",
        "  kept running       mail-00, pid 1",
        "  started            mail-01, pid 8",
        "  finished and left  mail-02, pid 2, in 1.5 s",
        "  KILLED             mail-03, pid 3, after 60.1 s; handled again: App\\Sms 7-0",
        "  HANDED BACK        mail-04, pid 4, after 55.0 s; handled again: `messenger stats -v` shows what",
        "  HANDED BACK        mail-05, pid 5, after 55.0 s; handled again: App\\Sms 7-0",
        "  ! the inventory says 4: write `processes: 2` there. Deploys keep 2 until it says another number.",
    ]
