"""The checks of deploy.yml and doctor.yml, and the screen of doctor.yml."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.render import evaluate, render
from tests.support.modules import MODULES, answer_of, load
from tests.support.paths import ROOT

findings_filter, application = (load(ROOT / f"plugins/filter/{name}.py") for name in ("findings", "application"))
EXAMPLE = yaml.safe_load((ROOT / "inventory/example/group_vars/all/vault.example.yml").read_text())
LOOK, RELEASES = (MODULES / f"{name}.py" for name in ("host_info", "releases"))
QUESTION = {"asked_at": 1, "root": "/", "user": "daemon", "builder": "bin", "package": "dpkg", "python": sys.executable}
HOST: dict[str, Any] = {
    "asked_at": 1_795_500_000.0,
    "time": 1_795_500_000.5,
    "python": "3.11",
    "directory": "/srv",
    "free_megabytes": 9000,
    "free_inodes": 900_000,
    "refused": {},
    "group": "999",
    "package": True,
    "seen": [],
}


def findings(host: dict[str, Any] | None = None, replace: bool = False, **options: Any) -> list[dict[str, str]]:
    """What is found on a host that answers so. options: as of the filter, or of the role's settings."""
    settings: dict[str, Any] = {
        "root": "/srv/sms",
        "user": "sms",
        "build_user": "sms-build",
        "python": "/usr/bin/python3",
        "env": {},
        "writable_paths": [],
        "pool_users": [""],
    }
    facts = {"distribution": "Debian", "distribution_version": "12.9", "distribution_major_version": "12"}
    settings |= {name: options.pop(name) for name in list(options) if name in settings}
    facts |= options.pop("facts", {})
    answer = (host or {}) if replace else HOST | (host or {})
    found: list[dict[str, str]] = findings_filter.host_findings(answer, settings, facts, HOST["time"] + 1, **options)
    return found


def test_a_good_host_has_none() -> None:
    assert findings() == []
    assert findings({"free_inodes": None}) == []


@pytest.mark.parametrize(
    ("host", "where", "found"),
    [
        ({"python": "3.9"}, "/usr/bin/python3", "it is Python 3.9"),
        ({"free_megabytes": 20}, "disk of /srv", "20 MB free, 500 needed"),
        ({"free_inodes": 17}, "disk of /srv", "17 inodes free, 20000 needed"),
        ({"time": HOST["time"] + 61}, "clock", "it is 60 s off that of the machine that runs Ansible"),
        ({"time": HOST["time"] - 61}, "clock", "it is 60 s off that of the machine that runs Ansible"),
        ({"refused": {"r:6379": "refused"}}, "redis at r:6379", "no connection: refused"),
        ({"disk_refuses": ["noexec"]}, "disk of /srv", "it is mounted noexec"),
        (
            {"hidden": ["/root"]},
            "/root",
            "the application's user sms may not enter it, on the way to its release or Python",
        ),
    ],
)
def test_what_is_wrong_is_named(host: dict[str, Any], where: str, found: str) -> None:
    (finding,) = findings(host)
    assert (finding["where"], finding["found"]) == (where, found)
    assert finding["change"]


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"build_user": "root"}, "messenger_app_build_user"),
        ({"build_user": "sms"}, "messenger_app_build_user"),
        ({"pool_users": ["", "sms-build"]}, "messenger_app_build_user"),
        ({"writable_paths": ["/srv/sms/shared/var/x"]}, "messenger_app_writable_paths"),
        ({"writable_paths": ["/srv/sms"]}, "messenger_app_writable_paths"),
        ({"writable_paths": ["/data", "/data/x"]}, "messenger_app_writable_paths"),
        ({"facts": {"distribution": "Ubuntu"}}, "operating system"),
        ({"facts": {"distribution_major_version": "11"}}, "operating system"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], where: str) -> None:
    (finding,) = findings(**settings)
    assert (finding["level"], finding["where"]) == ("fail", where)


def test_paths_side_by_side_are_fine() -> None:
    assert findings(writable_paths=["/srv/sms2", "/data", "/data2"]) == []


def test_all_of_it_is_found_at_once() -> None:
    assert len(findings({"python": "3.9", "free_megabytes": 1, "free_inodes": 1})) == 3


def test_a_python_that_is_not_there() -> None:
    there = {name: value for name, value in HOST.items() if name != "python"}
    (finding,) = findings(there | {"python_said": "No such file or directory"}, replace=True)
    assert finding["found"] == "No such file or directory"


def test_a_host_that_cannot_be_asked() -> None:
    (finding,) = findings({"failed": True, "msg": "MODULE FAILURE"}, replace=True)
    assert finding["found"] == "MODULE FAILURE"


def test_secrets_of_the_example_are_refused() -> None:
    for secret in EXAMPLE.values():
        (finding,) = findings(env={"DSN": f"redis://:{secret}@redis1/messages"})
        assert "vault.yml" in finding["change"]
        assert secret not in str(finding)


def test_a_redis_that_the_kit_will_install_is_not_wrong_before() -> None:
    (finding,) = findings({"refused": {"r:6379": "refused"}}, redis_to_come=True)
    assert (finding["level"], finding["change"]) == ("note", "site.yml installs it")


@pytest.mark.parametrize(
    ("dsn", "addresses"),
    [
        ("redis://localhost/messages", ["localhost"]),
        ("rediss://user:p%40ss@redis.example:6380/messages?x=redis://other", ["redis.example:6380"]),
        ("redis://h1:1,redis://u:p@h2:2/messages", ["h1:1", "h2:2"]),
        ("redis://[::1]:6379/messages", ["[::1]:6379"]),
        ("redis:///run/redis.sock", []),
        ("postgresql://u:p@db/app", []),
        (5, []),
    ],
)
def test_where_dsns_lead(dsn: Any, addresses: list[str]) -> None:
    assert application.redis_addresses({"DSN": dsn}) == addresses


SENTINEL = "rediss://u:p@any/messages?host[s1:26379]&host[s2:26379]&sentinel_master=main&ssl[cafile]=/ca.pem"


def test_of_a_sentinel_dsn_the_sentinels_are_asked() -> None:
    env = {"DSN": SENTINEL}
    assert application.redis_addresses(env) == []
    assert application.sentinel_addresses(env) == ["s1:26379", "s2:26379"]


@pytest.mark.parametrize(("refused", "level"), [(["s1:26379"], "warn"), (["s1:26379", "s2:26379"], "fail")])
def test_one_sentinel_is_enough(refused: list[str], level: str) -> None:
    (finding,) = findings({"refused": dict.fromkeys(refused, "refused")}, sentinels=["s1:26379", "s2:26379"])
    assert finding["level"] == level


def test_looking_at_a_host(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        free = socket.create_server(("127.0.0.1", 0))
        closed = free.getsockname()[1]
        free.close()
        link, file = tmp_path / "current", tmp_path / "settings"
        link.symlink_to("releases/one")
        file.write_text("A=1\n")
        file.chmod(0o640)
        question = {
            "asked_at": 12.5,
            "root": str(tmp_path / "not/there"),
            "user": "a-user-who-is-not-there",
            "python": sys.executable,
            "package": "a-package-that-is-not-there",
            "builder": "a-user-who-is-not-there",
            "addresses": [f"127.0.0.1:{port}", f"127.0.0.1:{closed}"],
            "paths": [str(path) for path in (link, file, tmp_path, tmp_path / "missing")],
        }
        found = answer_of(LOOK, question, check_mode=True)
    assert found["asked_at"] == 12.5
    assert found["directory"] == str(tmp_path)
    assert found["refused"] == {f"127.0.0.1:{closed}": "Connection refused"}
    assert found["free_megabytes"] > 0
    assert (found["group"], found["package"]) == (None, False)
    link_row, file_row, directory_row = found["seen"]
    assert link_row == {"path": str(link), "target": "releases/one"}
    mine = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": str(os.getgid())}
    sha256 = hashlib.sha256(b"A=1\n").hexdigest()
    assert file_row == {"path": str(file), "mode": "0640", **mine, "sha256": sha256}
    assert directory_row == {"path": str(tmp_path), "mode": "0700", **mine}


def test_looking_for_a_user_and_a_package_that_are_there() -> None:
    found = answer_of(LOOK, QUESTION | {"user": "daemon", "package": "dpkg"})
    assert (found["group"], found["package"]) == (str(pwd.getpwnam("daemon").pw_gid), True)


def test_looking_at_a_python(tmp_path: Path) -> None:
    assert answer_of(LOOK, QUESTION)["python"] == ".".join(map(str, sys.version_info[:2]))
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    broken.chmod(0o755)
    assert answer_of(LOOK, QUESTION | {"python": str(broken)})["python_said"] == "broken"
    missing = answer_of(LOOK, QUESTION | {"python": str(tmp_path / "missing")})
    assert (missing["python_said"], "python" in missing) == ("No such file or directory", False)


def test_looking_for_releases(tmp_path: Path) -> None:
    release = tmp_path / "releases/20261124T080000Z-0a1b2c3d"
    release.mkdir(parents=True)
    (release / ".ready").write_text("0a1b2c3d")
    (tmp_path / "current").symlink_to(f"releases/{release.name}")
    found = answer_of(LOOK, QUESTION | {"root": str(tmp_path)})["releases"]
    assert found == {name: answer_of(RELEASES, {"root": str(tmp_path)})[name] for name in found}
    assert (found["current"], found["releases"][0]["state"]) == (release.name, "ready")


def test_the_screen_names_each_thing_once() -> None:
    wrong = {"level": "fail", "where": "redis", "found": "evicts", "change": "noeviction"}
    late = {"level": "warn", "where": "clock", "found": "9 s off", "change": "NTP"}
    text = render(
        ROOT / "playbooks/templates/doctor.txt.j2",
        "messenger_worker",
        "messenger_app",
        ansible_play_hosts=["redis1", "w1", "w2"],
        ansible_play_hosts_all=["redis1", "w1", "w2", "w3"],
        groups={"workers": ["w1", "w2", "w3"]},
        hostvars={
            "redis1": {"messenger_doctor_findings": []},
            "w1": {
                "messenger_doctor_findings": [wrong, late],
                "messenger_worker_host": {"current": "20261124T080000Z-ab"},
            },
            "w2": {"messenger_doctor_findings": [wrong], "messenger_worker_host": {"current": ""}},
        },
    )
    assert text.splitlines() == [
        "redis1: ok",
        "w1: 1 to repair, 1 to look at, release 20261124T080000Z-ab",
        "w2: 1 to repair, nothing is deployed yet: only the host was looked at",
        "w3: COULD NOT BE LOOKED AT, the error above says why",
        "fail  on w1, w2",
        "      redis: evicts",
        "      -> noeviction",
        "warn  on w1",
        "      clock: 9 s off",
        "      -> NTP",
    ]


def test_what_the_operator_accepts_is_only_looked_at() -> None:
    answer = {
        "findings": [
            {"level": "ok", "check": "lease", "where": "a", "found": "b", "change": None},
            {"level": "fail", "check": "redis-eviction", "where": "a", "found": "b", "change": "c"},
            {"level": "fail", "check": "redis-role", "where": "a", "found": "b", "change": "c"},
        ]
    }
    said = {"stdout": json.dumps(answer)}
    found = evaluate(
        "{{ __messenger_worker_check_findings }}",
        "messenger_worker",
        "messenger_app",
        messenger_worker_accepted_checks=["redis-eviction"],
        __messenger_worker_check=said,
    )
    assert {each["check"]: each["level"] for each in found} == {"redis-role": "fail", "redis-eviction": "warn"}
    (silent,) = evaluate(
        "{{ __messenger_worker_check_findings }}",
        "messenger_worker",
        "messenger_app",
        __messenger_worker_check={"stdout": "", "stderr": "one\nno module sms"},
    )
    assert (silent["level"], silent["found"]) == ("fail", "no module sms")


def test_directories_that_the_user_may_not_enter(tmp_path: Path) -> None:
    """A Python of pyenv below /root, for one; reached by a link that all may follow."""
    shut, link = tmp_path / "shut", tmp_path / "python3"
    (shut / "bin").mkdir(parents=True)
    (shut / "bin/python3").symlink_to(sys.executable)
    link.symlink_to(shut / "bin/python3")
    tmp_path.chmod(0o755)
    for mode, hidden in ((0o711, False), (0o750, True)):
        shut.chmod(mode)
        answer = answer_of(LOOK, QUESTION | {"user": "nobody", "python": str(link)})
        assert (str(shut) in answer["hidden"]) is hidden
        assert str(tmp_path) not in answer["hidden"]
    owner = pwd.getpwuid(os.geteuid()).pw_name
    assert str(shut) not in answer_of(LOOK, QUESTION | {"user": owner, "python": str(link)})["hidden"]


@pytest.mark.parametrize("word", ["noexec", "ro"])
def test_disks_that_no_release_can_live_on(word: str, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", word, "none", tmp_path], check=True)  # needs root
    try:
        assert word in answer_of(LOOK, QUESTION | {"root": str(tmp_path)})["disk_refuses"]
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert word not in answer_of(LOOK, QUESTION | {"root": "/"})["disk_refuses"]
