"""The look at a host's workers, on hosts where everything or nothing is there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.support.modules import MODULES, answer_of

MODULE = MODULES / "workers_info.py"
SRV = {"host": "w1", "root": "/nonexistent"}
CONF = """; scaled: mail 6 processes by scale.yml, the inventory said 4
[program:mail]
command=x
"""


def test_what_is_there(tmp_path: Path) -> None:
    conf, unit, link = tmp_path / "worker.conf", tmp_path / "kit.conf", tmp_path / "link"
    conf.write_text(CONF)
    (tmp_path / "worker.conf.good").write_text(CONF.replace("mail", "old"))
    unit.write_text("[Service]\nTimeoutStopSec=70\n")
    link.symlink_to(conf)
    answer = answer_of(MODULE, {**SRV, "link": str(link), "conf": str(conf), "unit": str(unit)}, check_mode=True)
    assert answer["link"] == {"there": True, "target": str(conf)}
    assert answer["stop_seconds"] == 70
    assert answer["programs"] == ["mail", "old"]
    assert answer["scaled"] == [{"pool": "mail", "processes": 6, "inventory": 4}]
    assert (answer["conf_programs"], answer["good_programs"], answer["conf_sha256"]) == (["mail"], ["old"], "")
    assert answer["changed"] is False


def test_what_is_not_there(tmp_path: Path) -> None:
    answer = answer_of(MODULE, {**SRV, **{name: str(tmp_path / name) for name in ("link", "conf", "unit")}})
    assert answer["link"] == {"there": False, "target": ""}
    assert (answer["stop_seconds"], answer["programs"], answer["scaled"]) == (0, [], [])
    assert (answer["conf_programs"], answer["good_programs"], answer["conf_sha256"]) == (None, None, "")
    assert (answer["current"], answer["configured"], answer["restart_noted"]) == ("", False, False)
    assert answer["answers"] is False
    assert answer["said"] != ""


def test_a_dangling_link_is_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    answer = answer_of(MODULE, {**SRV, **{name: str(tmp_path / name) for name in ("link", "conf", "unit")}})
    assert answer["link"] == {"there": True, "target": str(tmp_path / "gone")}


@pytest.mark.parametrize(
    ("main", "included"),
    [
        ("[include]\nfiles = /etc/supervisor/conf.d/*.conf\n", True),
        ("[include]\nfiles = a.ini conf.d/*.conf ; all\n", True),
        ("[include]\nfiles = %(here)s/conf.d/*.conf\n", True),
        ("[include]\nfiles = /etc/supervisor/conf.d/*.ini\n", False),
        ("[supervisord]\nnodaemon = true\n", False),
        ("", True),
    ],
)
def test_whether_supervisord_reads_our_file(tmp_path: Path, main: str, included: bool) -> None:
    (tmp_path / "conf.d").mkdir()
    config, link = tmp_path / "supervisord.conf", tmp_path / "conf.d/worker.conf"
    config.write_text(main.replace("/etc/supervisor", str(tmp_path)))
    paths = {"link": str(link), "conf": str(tmp_path / "conf"), "unit": str(tmp_path / "unit"), "config": str(config)}
    answer = answer_of(MODULE, {**SRV, **paths})
    assert answer["included"] is included
    assert answer["user_id"] is None


def test_a_configuration_is_in_force_once_it_passed_the_gate(tmp_path: Path) -> None:
    paths = {**SRV, **{name: str(tmp_path / name) for name in ("link", "conf", "unit")}}
    conf, good = tmp_path / "conf", tmp_path / "conf.good"
    for file in (conf, good):
        file.write_text(CONF)
        file.chmod(0o644)
    expected = hashlib.sha256(CONF.encode()).hexdigest()
    assert answer_of(MODULE, paths)["conf_sha256"] == expected
    good.chmod(0o664)
    assert answer_of(MODULE, paths)["conf_sha256"] == ""
    good.chmod(0o644)
    good.write_text("other")
    assert answer_of(MODULE, paths)["conf_sha256"] == ""


def test_a_live_release_may_be_required(tmp_path: Path) -> None:
    paths = {name: str(tmp_path / name) for name in ("root", "link", "conf", "unit")}
    refused = answer_of(MODULE, paths | {"host": "w1", "require_release": True})
    assert refused["msg"] == "No release is live on w1: run deploy.yml, or site.yml if the host is new."
    (tmp_path / "root/shared/config").mkdir(parents=True)
    (tmp_path / "root/shared/config/.restart").touch()
    (tmp_path / "root/current").symlink_to("releases/20261124T080000Z-0a1b2c3d")
    answer = answer_of(MODULE, paths | {"host": "w1", "require_release": True})
    assert (answer["current"], answer["configured"]) == ("20261124T080000Z-0a1b2c3d", True)
    assert answer["restart_noted"] is True
