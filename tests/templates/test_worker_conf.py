"""messenger-worker.conf.j2, loaded with Supervisor's own parser by the checker that the role puts on hosts."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
import yaml
from supervisor.datatypes import RestartUnconditionally, RestartWhenExitUnexpected
from supervisor.options import ServerOptions

from messenger.cli.consume import consume
from tests.templates.render import ROLES, ROOT, evaluate, render

TEMPLATE = ROOT / "templates/messenger-worker.conf.j2"
CHECKER = ROLES / "messenger_worker/files/check-worker-conf"
POOL: dict[str, Any] = {"name": "messenger-consume", "transports": ["async"]}


@pytest.fixture
def app_root(tmp_path: Path) -> Path:
    (tmp_path / "shared/log").mkdir(parents=True)
    return tmp_path


def rendered(app_root: Path, *pools: dict[str, Any], **overrides: Any) -> Path:
    """The configuration for `pools`, as a file."""
    text = render(
        TEMPLATE,
        "messenger_worker",
        messenger_worker_pools=list(pools or [POOL]),
        messenger_app_name="sms",
        messenger_app_root=str(app_root),
        messenger_app_user=getpass.getuser(),
        **overrides,
    )
    file = app_root / "messenger-worker.conf"
    file.write_text(text)
    return file


def loaded(file: Path) -> dict[str, Any]:
    """Process configurations by process name, as supervisord would run them."""
    wrapper = file.with_name("supervisord.conf")
    wrapper.write_text(f"[supervisord]\n[include]\nfiles={file}\n")
    options = ServerOptions()
    options.realize(args=["-c", str(wrapper), "-n"])
    return {process.name: process for group in options.process_group_configs for process in group.process_configs}


def check(file: Path, *groups: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHECKER), str(file), *groups], capture_output=True, text=True, check=False
    )


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
        ({"stdout_logfile_maxbytes": "5MB", "stdout_logfile_backups": 2},
         {"stdout_logfile_maxbytes": 5 * 2**20, "stdout_logfile_backups": 2, "redirect_stderr": True}),
        ({"stdout_logfile": "/var/log/%(program_name)s-%(process_num)02d.log"}, {"stdout_logfile_backups": 5}),
        ({"redirect_stderr": False, "stderr_logfile_maxbytes": 0},
         {"redirect_stderr": False, "stderr_logfile_maxbytes": 0, "stderr_logfile_backups": 5}),
        ({"redirect_stderr": False, "stderr_logfile": "/dev/stderr"}, {"stderr_logfile": "/dev/stderr"}),
    ],
)  # fmt: skip
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


def findings(*pools: dict[str, Any], **overrides: Any) -> list[dict[str, str]]:
    """What pools.yml finds of pools whose values are good each for itself."""
    tasks = yaml.safe_load((ROLES / "messenger_worker/tasks/pools.yml").read_text())
    found: list[dict[str, str]] = []
    given: dict[str, Any] = {"messenger_worker_pools": list(pools), **overrides}
    for task in tasks:
        for item in evaluate(task["loop"], "messenger_worker", **given) if "loop" in task else [{}]:
            for each in task.get("vars", {}).get("__messenger_worker_checks", []):
                if not evaluate(each["ok"], "messenger_worker", **given, item=item):
                    row = {key: evaluate(text, "messenger_worker", **given, item=item) for key, text in each.items()}
                    found.append(row)
    return found


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
        ({"redirect_stderr": False, "stdout_logfile": "/var/log/a.log", "stderr_logfile": "/var/log/a.log"},
         "are one file", "redirect_stderr: true"),
        ({"environment": {"A": 'a"b'}}, "cannot hold a value", "messenger_app_env"),
        ({"environment": {"A": "a\nb"}}, "cannot hold a value", "messenger_app_env"),
        ({"environment": {"A": "a ;b"}}, "cannot hold a value", "messenger_app_env"),
    ],
)  # fmt: skip
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


def test_defaults(app_root: Path) -> None:
    processes = loaded(rendered(app_root, POOL | {"processes": 2}))
    assert sorted(processes) == ["messenger-consume_00", "messenger-consume_01"]
    process = processes["messenger-consume_01"]
    assert process.command == (
        f"{app_root}/bin/as-user --exec --umask 027 {getpass.getuser()} -- "
        f"{app_root}/current/venv/bin/messenger consume async --min-uptime 6 --stop-deadline 55"
    )
    assert (process.uid, process.umask) == (0, 0o027)
    assert process.directory == f"{app_root}/current"
    assert process.stdout_logfile == f"{app_root}/shared/log/messenger-consume_01.log"
    assert (process.startsecs, process.startretries, process.stopwaitsecs) == (5, 10, 60)
    assert process.autorestart is not False
    assert (process.stopasgroup, process.killasgroup) == (False, True)


def test_every_option_of_a_pool(app_root: Path) -> None:
    pool = POOL | {
        "name": "urgent",
        "transports": ["high", "async"],
        "limit": 100,
        "memory_limit": "128M",
        "time_limit": 3600,
        "failure_limit": 3,
        "sleep": 0.5,
        "queues": ["a", "b"],
        "stop_timeout": 90,
        "stop_deadline": 80.5,
        "startsecs": 2,
        "startretries": 4,
    }
    process = loaded(rendered(app_root, pool))["urgent_00"]
    assert process.command.split("consume ")[1] == (
        "high async --limit 100 --memory-limit 128M --time-limit 3600 --failure-limit 3 --sleep 0.5"
        " --queues a --queues b --min-uptime 3 --stop-deadline 80.5"
    )
    assert (process.startsecs, process.startretries, process.stopwaitsecs) == (2, 4, 90)


SLOTS = {"messenger_worker_layout": "slots"}


def groups(*pools: dict[str, Any], **overrides: Any) -> list[str]:
    """Supervisor's groups, as the role expects them."""
    found: list[str] = evaluate(
        "{{ __messenger_worker_groups }}", "messenger_worker", messenger_worker_pools=list(pools), **overrides
    )
    return found


def test_slots_are_programs_of_their_own_in_the_pool_s_name(app_root: Path) -> None:
    pools = [POOL | {"processes": 2, "environment": {"A": "b"}}, POOL | {"name": "urgent", "priority": 10}]
    file = rendered(app_root, *pools, **SLOTS)
    names = groups(*pools, **SLOTS)
    assert names == ["messenger-consume-00", "messenger-consume-01", "urgent-00"]
    assert check(file, *names).returncode == 0
    processes = loaded(file)
    assert sorted(processes) == names
    process = processes["messenger-consume-01"]
    assert process.environment["MESSENGER_POOL"] == "messenger-consume"
    assert process.environment["A"] == "b"
    assert process.stdout_logfile == f"{app_root}/shared/log/messenger-consume-01.log"
    assert [processes[name].priority for name in names] == [999, 999, 10]


def test_in_either_layout_a_process_differs_in_names_only(app_root: Path) -> None:
    pool = POOL | {"processes": 2, "limit": 5, "stop_timeout": 30}
    one, many = loaded(rendered(app_root, pool)), loaded(rendered(app_root, pool, **SLOTS))
    assert groups(pool) == ["messenger-consume"]
    for key in ("command", "directory", "user", "uid", "startsecs", "startretries", "stopwaitsecs", "autorestart"):
        values = [getattr(process, key, None) for process in [*one.values(), *many.values()]]
        assert values == values[:1] * 4, key


def consume_words(process: Any) -> list[str]:
    """The words of `messenger consume` in the command that Supervisor runs."""
    words = shlex.split(process.command)
    return words[words.index("consume") + 1 :]


LEAVE = {"messenger_worker_drain": "leave"}


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_a_worker_that_may_be_left_behind_has_a_log_of_its_own(app_root: Path, layout: str) -> None:
    processes = loaded(rendered(app_root, POOL | {"processes": 2}, messenger_worker_layout=layout, **LEAVE))
    assert len(processes) == 2
    for name, process in processes.items():
        log = f"{app_root}/shared/var/detached/{name}.log"  # Supervisor's own logs lie where only root writes
        assert process.stdout_logfile == f"{app_root}/shared/log/{name}.log"
        assert process.command.endswith(f"--stop-deadline 55 --detach-log {log}")
        assert consume.make_context("consume", consume_words(process)).params["detach_log"] == log
    assert "detach" not in rendered(app_root, POOL, messenger_worker_layout=layout).read_text()


def test_more_options_of_a_pool(app_root: Path) -> None:
    pool = POOL | {"options": ["--order", "weighted", "--fetch-size", "20"]}
    command = loaded(rendered(app_root, pool))["messenger-consume_00"].command
    assert "async --order weighted --fetch-size 20 --min-uptime 6" in command


def stop_deadline(app_root: Path, pool: dict[str, Any], **overrides: Any) -> float:
    """What `messenger consume` itself reads from the command that Supervisor runs."""
    arguments = consume_words(loaded(rendered(app_root, pool, **overrides))["messenger-consume_00"])
    deadline = consume.make_context("consume", arguments).params["stop_deadline"]
    assert isinstance(deadline, float)
    return deadline


@pytest.mark.parametrize(
    ("stop_timeout", "deadline"), [(1, 0.9), (2, 1.8), (10, 9), (50, 45), (60, 55), ("90", 85), (3600, 3595)]
)
def test_a_worker_hands_its_message_back_before_supervisor_kills_it(
    app_root: Path, stop_timeout: int | str, deadline: float
) -> None:
    assert stop_deadline(app_root, POOL | {"stop_timeout": stop_timeout}) == deadline
    assert stop_deadline(app_root, POOL, messenger_worker_stop_timeout=stop_timeout) == deadline
    assert deadline < float(stop_timeout)


def test_the_deadline_may_be_set_for_all_and_for_one_pool(app_root: Path) -> None:
    assert stop_deadline(app_root, POOL, messenger_worker_stop_deadline=30) == 30
    assert stop_deadline(app_root, POOL | {"stop_deadline": 20}, messenger_worker_stop_deadline=30) == 20
    assert stop_deadline(app_root, POOL | {"stop_deadline": 0}, messenger_worker_stop_deadline=30) == 55


@pytest.mark.parametrize(
    ("stop_deadline", "accepted"), [(0, True), (59, True), ("59.5", True), (60, False), (75, False)]
)
def test_the_role_refuses_a_deadline_that_supervisor_would_not_wait_for(stop_deadline: Any, accepted: bool) -> None:
    found = findings(POOL, messenger_worker_stop_deadline=stop_deadline)
    assert bool(found) is not accepted
    assert all(f"stop_deadline is {stop_deadline} and stop_timeout 60" in row["found"] for row in found)


def test_several_pools_are_several_programs(app_root: Path) -> None:
    assert check(rendered(app_root, POOL, POOL | {"name": "urgent"}), "messenger-consume", "urgent").returncode == 0


@pytest.mark.parametrize("value", ["100%", "%(x)s", "a, b", "%d%%", "key=value", "with space", ""])
def test_environment_values_arrive_as_they_are(app_root: Path, value: str) -> None:
    process = loaded(rendered(app_root, POOL | {"environment": {"VALUE": value}}))["messenger-consume_00"]
    assert process.environment["VALUE"] == value


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_a_pool_gains_no_privileges_unless_it_says_so(app_root: Path, layout: str) -> None:
    pools = [POOL, POOL | {"name": "sudo", "no_new_privs": "no", "user": getpass.getuser()}]
    processes = loaded(rendered(app_root, *pools, messenger_worker_layout=layout))
    found = {name.split("-0")[0].split("_")[0]: shlex.split(process.command) for name, process in processes.items()}
    user = getpass.getuser()
    start, rest = [f"{app_root}/bin/as-user", "--exec"], ["--umask", "027", user, "--"]
    assert found["messenger-consume"][:6] == [*start, *rest]
    assert found["sudo"][:7] == [*start, "--may-gain-privileges", *rest]


def test_what_makes_a_program_load_files_reaches_the_worker_and_not_root(app_root: Path) -> None:
    pool = POOL | {"environment": {"LD_PRELOAD": "/opt/100% /x.so", "GLIBC_TUNABLES": "a=b", "OTHER": "c"}}
    process = loaded(rendered(app_root, pool))["messenger-consume_00"]
    words = shlex.split(process.command)
    assert words[4 : words.index("--")] == [getpass.getuser(), "GLIBC_TUNABLES=a=b", "LD_PRELOAD=/opt/100% /x.so"]
    assert process.environment == {"HOME": f"{app_root}/shared/var", "OTHER": "c"}


@pytest.mark.parametrize("layout", ["numprocs", "slots"])
def test_expansions_of_supervisor_pass_through(app_root: Path, layout: str) -> None:
    """A name for each worker, as Symfony's documentation has it."""
    value = {"MESSENGER_CONSUMER_NAME": "%(program_name)s_%(process_num)02d", "OTHER": "%(group_name)s 5%(x)s %d"}
    pool = POOL | {"processes": 2, "environment": value}
    processes = loaded(rendered(app_root, pool, messenger_worker_layout=layout))
    names = [process.environment["MESSENGER_CONSUMER_NAME"] for process in processes.values()]
    assert (
        sorted(names)
        == {
            "numprocs": ["messenger-consume_00", "messenger-consume_01"],
            "slots": ["messenger-consume-00_00", "messenger-consume-01_01"],
        }[layout]
    )
    assert {process.environment["OTHER"][-8:] for process in processes.values()} == {"5%(x)s %d"[-8:]}


def test_environment_of_supervisord_passes_through(app_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIT_REGION", "eu")
    pool = POOL | {"environment": {"REGION": "100% %(ENV_KIT_REGION)s"}}
    assert loaded(rendered(app_root, pool))["messenger-consume_00"].environment["REGION"] == "100% eu"


def test_a_template_of_one_s_own_is_what_is_wanted_in_force(app_root: Path, tmp_path: Path) -> None:
    """What the role's README says of messenger_worker_template: a copy that is changed."""
    copy = tmp_path / "own.conf.j2"
    copy.write_text(TEMPLATE.read_text().replace("umask=027", "umask=022"))
    variables = {"messenger_app_name": "sms", "messenger_app_root": str(app_root), "messenger_app_user": "sms"}
    wanted = "{{ __messenger_worker_conf_wanted.sha256 }}"
    before = evaluate(wanted, "messenger_worker", **variables)
    assert evaluate(wanted, "messenger_worker", **variables, messenger_worker_template=str(copy)) != before
    file = app_root / "messenger-worker.conf"
    file.write_text(render(copy, "messenger_worker", **variables).replace("027 sms", f"027 {getpass.getuser()}"))
    assert {process.umask for process in loaded(file).values()} == {0o022}
    assert check(file, "messenger-consume").returncode == 0


def test_checker_refuses_what_supervisor_would(app_root: Path) -> None:
    file = rendered(app_root, POOL | {"environment": {"A": "%(ENV_KIT_SURELY_NOT_SET)s"}})
    result = check(file, "messenger-consume")
    assert result.returncode == 1
    assert "KIT_SURELY_NOT_SET" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("process_name=%(program_name)s_%(process_num)02d\n", "process_name=one\n"), "process_num"),
        (("user=", "user=no-such-user-"), "no-such-user-"),
        (("--umask 027 ", "--umask 027 no-such-user-"), "no-such-user-"),
        (("numprocs=2", "numprocs=many"), "many"),
        (("startsecs=5", "startsecs=5\nstopsignal=NOPE"), "NOPE"),
    ],
)
def test_checker_says_what_is_wrong(app_root: Path, change: tuple[str, str], said: str) -> None:
    file = rendered(app_root, POOL | {"processes": 2})
    text = file.read_text().replace("stopsignal=TERM\n", "")
    assert change[0] in text
    file.write_text(text.replace(*change))
    result = check(file, "messenger-consume")
    assert result.returncode == 1
    assert said in result.stderr


def test_checker_refuses_other_groups_than_wanted(app_root: Path) -> None:
    result = check(rendered(app_root), "messenger-consume", "urgent")
    assert result.returncode == 1
    assert "wanted messenger-consume, urgent" in result.stderr
    assert check(app_root / "there-is-no.conf", "messenger-consume").returncode == 1


def test_checker_finds_a_name_that_is_taken(app_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = SourceFileLoader("check_worker_conf", str(CHECKER))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    checker = module_from_spec(spec)
    loader.exec_module(checker)
    main = tmp_path / "main.conf"
    (tmp_path / "conf.d").mkdir()
    main.write_text("[supervisord]\n[include]\nfiles = conf.d/*.conf\n")
    own = tmp_path / "conf.d/messenger-worker.conf"
    os.symlink(rendered(app_root), own)
    monkeypatch.setattr(checker, "MAIN", main)
    checker.check(own, own, {"messenger-consume"})
    (tmp_path / "conf.d/other.conf").write_text("[program:messenger-consume]\ncommand=/bin/cat\n")
    with pytest.raises(ValueError, match="defined in .*other.conf already"):
        checker.check(own, own, {"messenger-consume"})
