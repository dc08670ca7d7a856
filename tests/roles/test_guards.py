"""Guards of the roles messenger_app and messenger_worker: what must not be done, shown, or left readable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.applications import make_application
from tests.roles.playbooks.test_refusal import tasks
from tests.roles.render import evaluate, trusted
from tests.support.modules import ROLES
from tests.support.paths import ROOT

FACTS = ("messenger_app_releases",)  # what tasks read of other hosts, too
CHOSEN = {
    "messenger_app_release_new": False,
    "messenger_app_going_back": True,
    "messenger_app_rollback_to": "20260101T000000Z-a",
    "messenger_app_releases": {
        "current": "20260101T000000Z-a",
        "releases": [{"id": "20260101T000000Z-a", "state": "good", "fits": True}],
    },
}
OLD, NEW = "old-secret-5f1c", "new-secret-9a3d"
# As root, Ansible may give files to root; elsewhere in a namespace of one's own.
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An application's directory with an environment in force, and one that worked."""
    config = tmp_path / "srv/shared/config"
    config.mkdir(parents=True)
    (tmp_path / "srv/releases/20260101T000000Z-a").mkdir(parents=True)
    for name in ("messenger.env", "messenger.env.good"):
        (config / name).write_text(f"DSN='redis://:{OLD}@h'\n")
        (config / name).chmod(0o600)
    return tmp_path / "srv"


def run(root: Path, *task_files: str, **variables: Any) -> tuple[int, str]:
    """Run task files of role messenger_app on this machine, as talkative as may be; exit code and all it says."""
    given = {
        "messenger_app_root": str(root),
        "messenger_app_name": "shop",
        "messenger_app_env": {"DSN": f"redis://:{NEW}@h"},
        "messenger_app_env_changed": True,
        "messenger_app_release": "20260101T000000Z-a",
        "messenger_app_back_to": "20260101T000000Z-a",
        "messenger_app_user": "root",
        "ansible_python_interpreter": sys.executable,
        "messenger_app_group": "0",
        "messenger_app_releases": {"current": "20260101T000000Z-a"},
        "messenger_app_why": "it did not come up",
        **variables,
    }
    steps: list[Any] = [{"ansible.builtin.set_fact": {name: given.pop(name)}} for name in list(given) if name in FACTS]
    steps += [{"ansible.builtin.include_role": {"name": "messenger_app", "tasks_from": file}} for file in task_files]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": given, "tasks": steps}
    file = root.parent / "play.yml"
    file.write_text(yaml.safe_dump([play]))
    ran = subprocess.run(
        [*AS_ROOT, Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "--diff", "-vvv", file],
        env=os.environ
        | {"ANSIBLE_ROLES_PATH": str(ROLES), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_an_environment_is_never_shown_and_only_its_group_reads_it(root: Path) -> None:
    config = root / "shared/config"
    code, said = run(root, "choose.yml", **CHOSEN)
    assert code == 0, said
    assert NEW in (config / "messenger.env.next").read_text()
    assert (config / "messenger.env.next").stat().st_mode & 0o777 == 0o640
    more_code, more = run(root, "activate.yml")
    assert more_code == 0, more
    assert NEW in (config / "messenger.env").read_text()
    assert (config / "messenger.env").stat().st_mode & 0o777 == 0o640
    assert not (config / "messenger.env.next").exists()
    back_code, back = run(root, "revert.yml")
    assert back_code == 0, back
    assert OLD in (config / "messenger.env").read_text()
    assert (config / "messenger.env").stat().st_mode & 0o777 == 0o640
    for text in (said, more, back):
        assert OLD not in text
        assert NEW not in text


def test_no_login_of_a_source_or_an_index_is_shown(root: Path) -> None:
    code, said = run(root, "source.yml", messenger_app_source=f"git+https://me:{OLD}@127.0.0.1:1/shop.git@v1")
    assert code == 2
    assert "cannot be fetched" in said or "Check the source of the application" in said
    assert OLD not in said
    source = make_application(root.parent / "shop")
    (source / "requirements.lock").write_text("nothing==1.0 --hash=sha256:" + "0" * 64 + "\n")
    host = {"python": "3.11", "soabi": "cpython-311-x86_64-linux-gnu", "libc": "glibc 2.36", "markers": {}}
    shipped = {"config_dir": str(source), "fingerprint": "f" * 64, "archive": ""}
    code, said = run(
        root,
        "source.yml",
        "build.yml",
        messenger_app_source=str(source),
        messenger_app_ship_dependencies=True,
        messenger_app_release_new=True,
        messenger_app_releases={"current": "", "environments": []},
        __messenger_app_wheels=shipped,
        messenger_app_index_url=f"https://me:{OLD}@127.0.0.1:1/simple",
        __messenger_app_host=host,
    )
    assert code == 2
    assert "Ensure a wheel of everything" in said
    assert OLD not in said


def test_no_task_shows_a_difference_of_an_environment() -> None:
    """Also where the module of today shows none."""
    found = []
    for file in (ROLES / "messenger_app/tasks").glob("*.yml"):
        for task in tasks(yaml.safe_load(file.read_text())):
            for module in ("ansible.builtin.copy", "ansible.builtin.template"):
                if "/messenger.env" in str(task.get(module, "")):
                    found.append((file.name, task.get("diff")))
    assert sorted(found) == [("activate.yml", False), ("choose.yml", False), ("revert.yml", False)]


HOST = {"inventory_hostname": "host1", "ansible_play_hosts": ["host1"], "ansible_play_batch": ["host1"]}
RELEASES = {"current": "20260102-b", "releases": [{"id": "20260102-b", "state": "good"}]}
FAIL = [{"level": "fail", "where": "w", "found": "f", "change": "c"}]
WARN = [FAIL[0] | {"level": "warn"}]
LOCK = "__messenger_app_lock"
DEPTHS = {"a": {"ready": 0, "in_flight": 0, "delayed": 0}}


def stats(failed: int = 0, unreachable: dict[str, str] | None = None, **depth: int) -> dict[str, Any]:
    """What `messenger stats` answers."""
    answer = {"transports": {"a": DEPTHS["a"] | depth}, "failed": {"f": failed}, "unreachable": unreachable or {}}
    return {"__messenger_worker_stats": {"rc": 0, "stdout": json.dumps(answer)}}


def listed(*ids: str) -> dict[str, Any]:
    """What a host answers that lists its failed messages."""
    return {"stdout": json.dumps({"on_this_host": True, "messages": [{"id": each} for each in ids]})}


def stores(**hosts: dict[str, Any]) -> dict[str, Any]:
    """What hosts answered."""
    answers = {host: {"__messenger_worker_listed": answer} for host, answer in hosts.items()}
    return {"hostvars": answers, "ansible_play_hosts": list(hosts)}


CONFIRM = "Fail without a confirmation"
FAILED = {
    "messenger_worker_failed_action": "remove",
    "messenger_worker_failed_ids": ["1"],
    "messenger_worker_failed_all": False,
    "messenger_worker_failed_transport": "",
}
# Of each refusal: what passes, and what must not.
REFUSALS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "messenger_app/choose: Check that there is a release to go back to": (
        {"messenger_app_release": "20260101-a"},
        [{"messenger_app_release": ""}],
    ),
    "messenger_app/choose: Check that it is newer than the live one": (
        {"messenger_app_release": "20260103-c", "messenger_app_releases": RELEASES},
        [{"messenger_app_release": "20260101-a"}],
    ),
    "messenger_app/inputs: Check that tags leave nothing out": (
        {"ansible_run_tags": ["all"], "ansible_skip_tags": []},
        [{"ansible_run_tags": ["x"]}, {"ansible_skip_tags": ["messenger_app_build"]}],
    ),
    "messenger_app/inputs: Check that the variables can be worked with": (
        {"messenger_app_input_findings": []},
        [{"messenger_app_input_findings": FAIL}],
    ),
    "messenger_app/inputs: Check that it is root": (
        {"__messenger_app_root_user": {"stdout": "0"}},
        [{"__messenger_app_root_user": {"stdout": "1000"}}, {"__messenger_app_root_user": {"msg": "no"}}],
    ),
    "messenger_app/lock: Check that this run has it": (
        {"hostvars": {"host1": {LOCK: {"token": "t"}}}},
        [{"hostvars": {"host1": {LOCK: {"msg": "held"}}}}],
    ),
    "messenger_app/preflight: Check that the host can take a release": (
        {"messenger_app_findings": WARN},
        [{"messenger_app_findings": WARN + FAIL}],
    ),
    "messenger_app/prune: Check how many releases are to stay": (
        {"messenger_app_keep_releases": "1"},
        [{"messenger_app_keep_releases": "0"}],
    ),
    "messenger_app/report: Check that all hosts run the same release": (
        {"hostvars": {"host1": {"messenger_app_releases": RELEASES}}},
        [
            {
                "ansible_play_hosts": ["host1", "host2"],
                "hostvars": {
                    "host1": {"messenger_app_releases": RELEASES},
                    "host2": {"messenger_app_releases": {"current": ""}},
                },
            }
        ],
    ),
    "messenger_app/source: Check that the authority of Redis's certificate is there": (
        {"messenger_app_redis_ca_file": __file__},
        [{"messenger_app_redis_ca_file": "/nowhere"}],
    ),
    "messenger_worker/check_messages: Check that no message would be lost": (
        stats(),
        [
            {"__messenger_worker_stats": {"rc": 78}},
            *(stats(ready=1), stats(in_flight=1), stats(delayed=1), stats(failed=1), stats(unreachable={"a": "x"})),
        ],
    ),
    "messenger_worker/failed: Check what is asked for": (
        FAILED,
        [
            {"messenger_worker_failed_action": "purge"},
            {"messenger_worker_failed_ids": []},
            {"messenger_worker_failed_all": True},
            {"messenger_worker_failed_ids": ["--force"]},
            {"messenger_worker_failed_transport": "-x"},
        ],
    ),
    "messenger_worker/failed: Check that it can be done": (
        FAILED | stores(host1=listed("1"), host2=listed("2")),
        [
            stores(host1={"stderr": "x"}, host2=listed("1")),
            stores(host1=listed("2"), host2=listed("3")),
            stores(host1=listed("1"), host2=listed("1")),
        ],
    ),
    "messenger_worker/failed: Check that all of it was done": (
        {"__messenger_worker_acted": {}},
        [{"__messenger_worker_acted": {"rc": 1}}],
    ),
    "messenger_worker/logs: Check what is asked for": (
        {"messenger_worker_logs_pool": "a-b", "messenger_worker_logs_lines": "5"},
        [{"messenger_worker_logs_pool": "../x"}, {"messenger_worker_logs_lines": 0}],
    ),
    "messenger_worker/logs: Check that there are any": (
        {"hostvars": {"host1": {"__messenger_worker_logs": {"logs": ["x"]}}}},
        [{"hostvars": {"host1": {"__messenger_worker_logs": {"logs": []}}}}],
    ),
    "messenger_worker/preflight: Check what scale.yml was asked for": (
        {
            "hostvars": {"host1": {"messenger_worker_pools": [{"name": "a"}]}},
            "messenger_worker_scale_pool": "a",
            "messenger_worker_scale_processes": "2",
        },
        [{"messenger_worker_scale_pool": "b"}, {"messenger_worker_scale_processes": "0"}],
    ),
    "messenger_worker/preflight: Check that the pools can run": (
        {"messenger_worker_pools": [{"name": "a", "transports": ["async"]}]},
        [{"messenger_worker_pools": []}, {"messenger_worker_pools": [{"name": "a", "transports": []}]}],
    ),
    "messenger_worker/preflight: Check that workers can run here": (
        {"__messenger_worker_host_findings": []},
        [{"__messenger_worker_host_findings": FAIL}],
    ),
    "messenger_worker/smoke: Check that the message was handled": (
        {"__messenger_worker_sent": {"rc": 0, "stdout": '{"status": "handled"}'}},
        [
            {"__messenger_worker_sent": {"rc": 1, "stdout": '{"status": "handled"}'}},
            {"__messenger_worker_sent": {"rc": 0, "stdout": '{"status": "sent"}'}},
        ],
    ),
    "messenger_worker/status: Check that nothing is degraded": (
        {"messenger_worker_status": {"problems": []}},
        [{"messenger_worker_status": {"problems": ["x"]}}],
    ),
}


def asserts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every refusal of the two roles, by role, task file and name."""
    for role in ("messenger_app", "messenger_worker"):
        for file in sorted((ROLES / role / "tasks").glob("*.yml")):
            for task in tasks(yaml.safe_load(file.read_text())):
                if "ansible.builtin.assert" in task:
                    yield f"{role}/{file.stem}: {task['name']}", task


def passes(name: str, task: dict[str, Any], given: dict[str, Any]) -> bool:
    conditions = task["ansible.builtin.assert"]["that"]
    variables = {
        **HOST,
        "messenger_worker_pools": [{"name": "a", "transports": ["a"]}],
        **given,
        **trusted(task.get("vars", {})),
    }
    role = name.split("/")[0]
    roles = (role, *{"messenger_app", "messenger_worker"} - {role})
    return all(
        evaluate("{{ " + each + " }}", *roles, **variables)
        for each in ([conditions] if isinstance(conditions, str) else conditions)
    )


def test_every_refusal_is_tried() -> None:
    assert [name for name, _ in asserts()] == sorted(REFUSALS, key=[name for name, _ in asserts()].index)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_refuses(name: str) -> None:
    task = dict(asserts())[name]
    good, bad = REFUSALS[name]
    assert passes(name, task, good)
    for each in bad:
        assert not passes(name, task, good | each), each


def test_failed_messages_are_removed_only_when_that_was_confirmed() -> None:
    found = {
        task["name"]: task for task in tasks(yaml.safe_load((ROLES / "messenger_worker/tasks/failed.yml").read_text()))
    }
    names = list(found)
    asked, done = (names.index(name) for name in (CONFIRM, "Start handling the messages again, or remove them"))
    assert asked < done
    for confirm, refused in ((False, True), ("false", True), (True, False), ("yes", False)):
        given = FAILED | {"messenger_worker_failed_confirm": confirm}
        when = found[CONFIRM]["when"]
        assert evaluate("{{ " + when + " }}", "messenger_worker", **given) is refused


def modes() -> Iterator[tuple[str, str]]:
    """Where the kit's tasks write, and with which mode."""
    files = [
        *ROLES.glob("*/tasks/*.yml"),
        *(ROOT / "playbooks").glob("*.yml"),
        *(ROOT / "playbooks/tasks").glob("*.yml"),
    ]
    for file in files:
        for task in tasks(yaml.safe_load(file.read_text())):
            for module, arguments in task.items():
                if module.startswith("ansible.builtin.") and isinstance(arguments, dict) and "mode" in arguments:
                    yield f"{file.relative_to(ROOT)}: {task['name']}", str(arguments["mode"])


def test_nothing_is_written_that_others_may_change() -> None:
    found = dict(modes())
    assert len(found) > 20
    fixed = {name: mode for name, mode in found.items() if "{{" not in mode and mode not in ("preserve", "go-w")}
    assert [name for name, mode in fixed.items() if int(mode, 8) & 0o022] == []
