"""messenger-worker.conf.j2, loaded with Supervisor's own parser by the checker that the role puts on hosts."""

from __future__ import annotations

import getpass
import shlex
from pathlib import Path
from typing import Any

import pytest

from messenger.cli.consume import consume
from tests.roles.render import evaluate, render
from tests.roles.worker_conf import POOL, TEMPLATE, check, findings, groups, loaded, rendered


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
    wanted = "{{ __messenger_worker_content | hash('sha256') }}"
    before = evaluate(wanted, "messenger_worker", **variables)
    assert evaluate(wanted, "messenger_worker", **variables, messenger_worker_template=str(copy)) != before
    file = app_root / "messenger-worker.conf"
    file.write_text(render(copy, "messenger_worker", **variables).replace("027 sms", f"027 {getpass.getuser()}"))
    assert {process.umask for process in loaded(file).values()} == {0o022}
    assert check(file, "messenger-consume").returncode == 0
