"""Supervisor's settings against the options of the worker and the timeouts of its handlers."""

from __future__ import annotations

import pytest

from messenger.checks.finding import Finding
from messenger.checks.supervisor import check_supervisor
from messenger.cli.consume import read_options
from tests.support.application_project import Project

UP = "--min-uptime 6"
EXEC = "`exec messenger consume …` as the command"
PROGRAM = {
    "command": "messenger consume async --min-uptime 6",
    "autorestart": "true",
    "startsecs": "5",
    "stopwaitsecs": "60",
    "killasgroup": "true",
}
HANDLERS = """
from dataclasses import dataclass
from messenger import handler

@dataclass
class Sms:
    text: str

@dataclass
class Mail:
    text: str

@handler(timeout=10)
def on_sms(message: Sms): ...

@handler(timeout=20)
def and_again(message: Sms): ...

@handler
def on_mail(message: Mail): ...
"""
TRANSPORTS = "async: 'in-memory://', slow: 'in-memory://', failed: 'in-memory://'"
ROUTING = "  failure_transport: failed\n  routing: {'MODULE.Sms': async, 'MODULE.Mail': slow}\n"


def look(project: Project, yaml: str = "", **settings: str) -> list[Finding]:
    """What is found in one program."""
    application = project.load(yaml + ROUTING, module=HANDLERS, transports=TRANSPORTS)
    program = "".join(f"{name}={value}\n" for name, value in (PROGRAM | settings).items() if value)
    path = project.directory / "worker.conf"
    path.write_text(f"[program:worker]\n{program}")
    findings = list(check_supervisor(application, path, read_options))
    assert {finding.where for finding in findings} == {f"{path} [program:worker]"}
    return findings


def one(project: Project, yaml: str = "", **settings: str) -> tuple[str, str, str | None]:
    (finding,) = look(project, yaml, **settings)
    return finding.level, finding.found, finding.change


def test_all_is_well(project: Project) -> None:
    assert one(project) == ("ok", "stopwaitsecs is 60, startsecs 5, and handlers take at most 30 s", None)


@pytest.mark.parametrize(("seconds", "level"), [("36", "ok"), ("35", "warn"), ("10", "warn")])
def test_the_handlers_of_a_message_run_one_after_the_other(project: Project, seconds: str, level: str) -> None:
    (finding,) = look(project, stopwaitsecs=seconds)
    assert finding.level == level
    if level == "warn":
        assert finding.found.startswith(f"stopwaitsecs is {seconds} and handlers may take 30 s: Supervisor kills")
        assert finding.change == "stopwaitsecs=40"
        assert look(project, stopwaitsecs="40")[0].level == "ok"


def test_a_handler_without_a_timeout_may_take_any_time(project: Project) -> None:
    command = PROGRAM["command"].replace("async", "slow")
    level, found, _ = one(project, command=command)
    assert level == "ok"
    assert found.endswith("not every handler has a timeout, so what takes longer than stopwaitsecs is killed at a stop")
    _, found, _ = one(project, command=f"{command} --stop-deadline 50")
    assert found.endswith("one that takes longer than --stop-deadline is ended then")


def test_the_timeout_of_messenger_yaml_is_for_those_without(project: Project) -> None:
    command = PROGRAM["command"].replace("async", "slow")
    _, found, change = one(project, "  handler_timeout: 70\n", command=command)
    assert found.startswith("stopwaitsecs is 60 and handlers may take 70 s")
    assert change == "stopwaitsecs=80"


def test_no_transport_is_all_and_the_failure_transport_has_messages_of_the_others(project: Project) -> None:
    for command in ("messenger consume --min-uptime 6", "messenger consume failed --min-uptime 6"):
        _, found, _ = one(project, "  handler_timeout: 70\n", command=command)
        assert found.startswith("stopwaitsecs is 60 and handlers may take 70 s")


@pytest.mark.parametrize(
    ("deadline", "found", "change"),
    [
        ("29", "--stop-deadline is 29 and handlers may take 30 s", "--stop-deadline 35, and stopwaitsecs=40"),
        ("30", "stopwaitsecs is 60, startsecs 5, and handlers take at most 30 s", None),
        ("60", "--stop-deadline is 60 and stopwaitsecs 60: the worker is killed", "--stop-deadline 55"),
    ],
)
def test_the_deadline_of_a_stop(project: Project, deadline: str, found: str, change: str | None) -> None:
    said = one(project, command=f"{PROGRAM['command']} --stop-deadline {deadline}")
    assert said[1].startswith(found)
    assert said[2] == change


@pytest.mark.parametrize(
    ("settings", "level", "found", "change"),
    [
        ({"startsecs": "0"}, "warn", "startsecs is 0", "startsecs=5, and --min-uptime 6 in its command"),
        ({"startsecs": "6"}, "warn", "--min-uptime is 6 and startsecs 6", "--min-uptime 7"),
        ({"killasgroup": ""}, "warn", "killasgroup is not set", "killasgroup=true"),
        ({"autorestart": ""}, "fail", "autorestart is unexpected", "autorestart=true"),
        ({"autorestart": "false"}, "fail", "autorestart is false", "autorestart=true"),
        ({"stopsignal": "KILL"}, "fail", "stopsignal KILL", "stopsignal=TERM"),
        ({"command": "messenger consume --limt 3"}, "fail", "its command ends with wrong", "messenger consume --help"),
        ({"command": "messenger consume --help"}, "fail", "its command ends with wrong", "messenger consume --help"),
        ({"command": f"messenger consume x {UP}"}, "fail", "it consumes 'x'", "one of async, slow, failed"),
        ({"command": f"sh -c 'messenger consume {UP}'"}, "fail", "the stop signal goes to a shell", EXEC),
        ({"command": f"bash -lc 'messenger consume {UP}'"}, "fail", "the stop signal goes to a shell", EXEC),
        ({"command": f"/bin/bash -l -c 'messenger consume {UP}'"}, "fail", "the stop signal goes to a shell", EXEC),
    ],
)
def test_a_setting(project: Project, settings: dict[str, str], level: str, found: str, change: str) -> None:
    said = one(project, **settings)
    assert (said[0], said[2]) == (level, change)
    assert said[1].startswith(found)


@pytest.mark.parametrize(
    "settings",
    [
        {"autorestart": "unexpected", "exitcodes": "9"},
        {"stopsignal": "SIGINT"},
        {"killasgroup": "", "stopasgroup": "true"},
        {"command": "bash -lc 'messenger consume async --min-uptime 6'", "stopasgroup": "true"},
        {"command": "bash -c 'exec /srv/x/bin/messenger consume async --min-uptime 6'"},
        {"command": "python -m messenger.cli -c x.yaml consume async --min-uptime 6"},
    ],
)
def test_a_setting_that_is_well(project: Project, settings: dict[str, str]) -> None:
    assert one(project, **settings)[0] == "ok"


def test_a_file_without_workers(project: Project) -> None:
    application = project.load(ROUTING, module=HANDLERS, transports=TRANSPORTS)
    path = project.directory / "worker.conf"
    path.write_text("[program:other]\ncommand=messenger stats\n[program:cat]\ncommand=cat 'open\n")
    (finding,) = check_supervisor(application, path, read_options)
    assert (finding.level, finding.found) == ("warn", "no program in it runs `messenger consume`")


def test_a_worker_that_may_be_left_behind_is_understood(project: Project) -> None:
    log = f"--detach-log {project.directory}/%(program_name)s_%(process_num)02d.log"
    assert one(project, command=f"messenger consume async {UP} {log}")[0] == "ok"


def test_a_log_that_it_could_not_write(project: Project) -> None:
    directory = project.directory / "there-is-no" / "directory"
    level, found, change = one(project, command=f"messenger consume async {UP} --detach-log {directory}/x.log")
    assert level == "warn"
    assert found.startswith(f"--detach-log: this user cannot write in {directory.parent}: ")
    assert change == f"have {directory.parent} belong to the user of the workers"
