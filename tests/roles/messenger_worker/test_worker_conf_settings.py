"""Keys of a pool that are settings of Supervisor's, loaded with its own parser."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected

from tests.roles.worker_conf import POOL, check, findings, groups, loaded, rendered


def test_every_key_of_the_documented_file(app_root: Path) -> None:
    text = rendered(app_root).read_text()
    for key in ("command", "user", "numprocs", "autostart", "autorestart", "process_name", "startsecs"):
        assert f"\n{key}=" in text


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ({}, {"umask": 0o027, "exitcodes": [0], "stopsignal": 15, "autorestart": RestartUnconditionally}),
        ({"priority": 10}, {"priority": 10}),
        ({"autorestart": "unexpected", "exitcodes": [64, "78"]}, {"autorestart": RestartWhenExitUnexpected}),
        ({"autorestart": True}, {"autorestart": RestartUnconditionally}),
        ({"exitcodes": [0, 64]}, {"exitcodes": [0, 64]}),
        ({"stopsignal": "QUIT"}, {"stopsignal": 3}),
        ({"stopasgroup": True}, {"stopasgroup": True, "killasgroup": True}),
        ({"killasgroup": "no"}, {"stopasgroup": False, "killasgroup": False}),
        ({"stdout_logfile": "/dev/stdout"}, {"stdout_logfile": "/dev/stdout", "stdout_logfile_maxbytes": 0}),
        ({"stdout_logfile": "syslog"}, {"stdout_syslog": True, "stdout_logfile": None}),
        ({"stdout_logfile": "NONE"}, {"stdout_logfile": None}),
        (
            {"stdout_logfile_maxbytes": "5MB", "stdout_logfile_backups": 2},
            {"stdout_logfile_maxbytes": 5 * 2**20, "stdout_logfile_backups": 2, "redirect_stderr": True},
        ),
        ({"stdout_logfile": "/var/log/%(program_name)s-%(process_num)02d.log"}, {"stdout_logfile_backups": 5}),
        (
            {"redirect_stderr": False, "stderr_logfile_maxbytes": 0},
            {"redirect_stderr": False, "stderr_logfile_maxbytes": 0, "stderr_logfile_backups": 5},
        ),
        ({"redirect_stderr": False, "stderr_logfile": "/dev/stderr"}, {"stderr_logfile": "/dev/stderr"}),
    ],
)
def test_settings_of_supervisor_s(app_root: Path, layout: str, pool: dict[str, Any], expected: dict[str, Any]) -> None:
    file = rendered(app_root, POOL | {"processes": 2} | pool, messenger_worker_layout=layout)
    assert check(file, *groups(POOL | {"processes": 2}, messenger_worker_layout=layout)).returncode == 0
    for process in loaded(file).values():
        assert {name: getattr(process, name) for name in expected} == expected


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_errors_may_have_a_log_of_their_own(app_root: Path, layout: str) -> None:
    pool = POOL | {"processes": 2, "redirect_stderr": False}
    for name, process in loaded(rendered(app_root, pool, messenger_worker_layout=layout)).items():
        assert process.stderr_logfile == f"{app_root}/shared/log/{name}.err.log"
        assert process.stdout_logfile == f"{app_root}/shared/log/{name}.log"


def test_a_nice_worker(app_root: Path) -> None:
    command = loaded(rendered(app_root, POOL | {"nice": 10}))["messenger-consume_00"].command
    assert f" -- /usr/bin/nice -n 10 {app_root}/current/venv/bin/messenger consume async " in command


def test_a_umask_of_its_own(app_root: Path) -> None:
    command = loaded(rendered(app_root, POOL | {"umask": "002"}))["messenger-consume_00"].command
    assert f"/bin/as-user --exec --umask 002 {getpass.getuser()} -- " in command


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_a_pool_that_rests_has_no_program(app_root: Path, layout: str) -> None:
    pools = [POOL, POOL | {"name": "resting", "processes": 0}]
    file = rendered(app_root, *pools, messenger_worker_layout=layout)
    names = groups(*pools, messenger_worker_layout=layout)
    assert [name for name in names if "resting" in name] == []
    assert check(file, *names).returncode == 0
    file = rendered(app_root, pools[1], messenger_worker_layout=layout)
    assert check(file, *groups(pools[1], messenger_worker_layout=layout)).returncode == 0


@pytest.mark.parametrize("zero", [0, "0", 0.0, "0.0", ""])
@pytest.mark.parametrize("option", ["limit", "memory_limit", "time_limit", "failure_limit", "sleep"])
def test_a_limit_of_0_is_none(app_root: Path, option: str, zero: Any) -> None:
    command = loaded(rendered(app_root, POOL | {option: zero}))["messenger-consume_00"].command
    assert f"--{option.replace('_', '-')}" not in command


@pytest.mark.parametrize(
    ("pool", "found", "change"),
    [
        ({"transports": []}, "no transports", "at least one"),
        ({"stop_deadline": 60}, "stop_deadline is 60", "below stop_timeout"),
        ({"startsecs": 0}, "crashes at every start", "1 or more"),
        ({"autorestart": "unexpected"}, "does not start a worker again", "exitcodes without 0"),
        ({"autorestart": "unexpected", "exitcodes": ["0", 2]}, "does not start a worker again", "exitcodes without 0"),
        ({"stopasgroup": True, "killasgroup": False}, "stopasgroup without killasgroup", "killasgroup: true"),
        ({"stderr_logfile": "syslog"}, "its errors go where", "redirect_stderr: false"),
        ({"processes": 2, "stdout_logfile": "/var/log/a.log"}, "would write to one file", "%(process_num)02d"),
        (
            {"redirect_stderr": False, "stdout_logfile": "/var/log/a.log", "stderr_logfile": "/var/log/a.log"},
            "are one file",
            "redirect_stderr: true",
        ),
        ({"environment": {"A": 'a"b'}}, "cannot hold a value", "messenger_app_env"),
        ({"environment": {"A": "a\nb"}}, "cannot hold a value", "messenger_app_env"),
        ({"environment": {"A": "a ;b"}}, "cannot hold a value", "messenger_app_env"),
    ],
)
def test_what_does_not_belong_together(pool: dict[str, Any], found: str, change: str) -> None:
    (finding,) = findings(POOL | pool)
    assert finding["level"] == "fail"
    assert finding["where"] == "pool messenger-consume"
    assert found in finding["found"]
    assert change in finding["change"]


def test_pools_that_are_good() -> None:
    together = {"autorestart": "unexpected", "exitcodes": [2], "stopasgroup": True, "redirect_stderr": False}
    assert findings(POOL | together, POOL | {"name": "resting", "processes": 0}) == []


def test_there_are_pools_and_each_has_a_name_of_its_own() -> None:
    assert [row["where"] for row in findings()] == ["messenger_worker_pools"]
    assert [row["where"] for row in findings(POOL, POOL)] == ["messenger_worker_pools"]
