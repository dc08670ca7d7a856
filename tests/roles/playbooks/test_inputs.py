"""What an inventory and a command line may say: refused before anything changes, in one line, or it works."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.roles.render import render
from tests.roles.role_tables import options, role_names
from tests.roles.worker_conf import POOL, TEMPLATE, loaded
from tests.support.modules import PLUGINS, ROLES, load
from tests.support.paths import ROOT

inputs = load(PLUGINS / "action/inputs_info.py")
MORE = yaml.safe_load((ROLES / "messenger_app/files/input_rules.yml").read_text())
OPTIONS: dict[str, Any] = MORE["options"] | {
    name: each for role in role_names() for name, each in options(role).items()
}
SPECS = [ROLES / role / "meta/argument_specs.yml" for role in role_names()]
MAIN, KNOWN = inputs.known_options([yaml.safe_load(file.read_text())["argument_specs"] for file in SPECS])
KEYS: dict[str, Any] = OPTIONS["messenger_worker_pools"]["options"]
NUMBERS = ("int", "float")


def found(name: str, value: Any) -> list[dict[str, str]]:
    """What is wrong with a value of a variable, or with `POOL.KEY` of a pool."""
    if name.startswith("POOL."):
        name, value = "messenger_worker_pools", [POOL | {name.removeprefix("POOL."): value}]
    rows: list[dict[str, str]] = list(inputs.Inputs(MORE["rules"]).value(name, name, "", value, OPTIONS[name]))
    for row in rows:
        assert set(row) == {"where", "found", "change"}
        assert all(text and "\n" not in text for text in row.values()), row
    return rows


def every_value() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each variable of the kit and each key of a pool, with what the argument spec says of it."""
    yield from OPTIONS.items()
    yield from ((f"POOL.{key}", option) for key, option in KEYS.items())


EVERY = dict(every_value())
STRANGE: list[Any] = [
    None,
    True,
    "true",
    "yes",
    "12",
    "x",
    "",
    12,
    2.5,
    "2.5",
    -1,
    0,
    10**30,
    float("nan"),
    float("inf"),
    [],
    {},
]
STRANGE += [[None], ["a", 1], {"a": None}, [[]], "{{ x }}", "a b", "é", "a\nb", "%", "\0", " 5", "٣", "1_000", "0x10"]


@pytest.mark.parametrize("name", EVERY)
def test_no_value_is_too_strange_to_be_looked_at(name: str) -> None:
    for value in STRANGE:
        found(name, value)
    assert found(name, None)
    if EVERY[name]["type"] != "dict":
        assert found(name, {"a": 1})
    if EVERY[name]["type"] != "list":
        assert found(name, ["a"])


@pytest.mark.parametrize("name", [name for name, option in EVERY.items() if option["type"] in NUMBERS])
def test_a_number_is_a_number_within_limits(name: str) -> None:
    for value in ("abc", "", True, "1_000", " 5", "5s", "٣", [5], 10**30, "1" * 30, -1, "-1", float("nan"), "0x10"):
        assert found(name, value), f"{value!r} is taken: its limits belong into input_rules.yml"
    good = 60 if name == "messenger_app_lock_ttl" else 5
    for value in (good, str(good)):
        assert not found(name, value), value
    for value in (good + 0.5, str(good + 0.5)):
        assert bool(found(name, value)) is (EVERY[name]["type"] == "int")


@pytest.mark.parametrize("name", [name for name, option in EVERY.items() if option["type"] == "list"])
def test_a_list_is_a_list(name: str) -> None:
    assert found(name, "async")[0]["change"].endswith("a list")
    assert found(name, [None])


@pytest.mark.parametrize("name", [name for name, option in EVERY.items() if option["type"] == "bool"])
def test_true_and_false(name: str) -> None:
    for value in (True, False, "true", "no", 1, 0):
        assert not found(name, value), value
    for value in ("perhaps", 2, ""):
        assert found(name, value), value


def test_a_text_that_is_no_number_is_shown() -> None:
    (row,) = found("messenger_worker_stop_timeout", "2.5")
    assert (row["found"], row["change"]) == ("it is '2.5'", "a whole number from 1 to 604800")


def test_the_defaults_are_good() -> None:
    for name, option in EVERY.items():
        if "default" in option and "{{" not in str(option["default"]):
            assert found(name, option["default"]) == []


@pytest.mark.parametrize(
    ("key", "change"), [("numprocs", "processes: N"), ("memory_limt", "memory_limit?"), ("colour", "name, transports")]
)
def test_an_unknown_key_of_a_pool(key: str, change: str) -> None:
    (row,) = found(f"POOL.{key}", 4)
    assert row["where"] == "messenger_worker_pools (messenger-consume)"
    assert row["found"] == f"unknown key '{key}'"
    assert change in row["change"]


def test_instead_of_which_keys_there_are_others() -> None:
    assert not set(MORE["rules"]["messenger_worker_pools"]["instead"]) & set(KEYS)


@pytest.mark.parametrize("name", ["messenger_app_env", "POOL.environment"])
@pytest.mark.parametrize(
    ("environment", "good"),
    [
        ({"FOO": None}, False),
        ({"FOO": []}, False),
        ({"FOO": {}}, False),
        ({"FÖÖ": "a"}, False),
        ({"A-B": "a"}, False),
        ({1: "a"}, False),
        ({"FOO": "a\rb"}, False),
        ({"FOO": True, "BAR": 1.5, "_": "", "a1": "%{{ }}é"}, True),
    ],
)
def test_one_rule_for_the_environments(name: str, environment: dict[str, Any], good: bool) -> None:
    assert bool(found(name, environment)) is not good


@pytest.mark.parametrize(
    ("name", "value", "good"),
    [
        ("POOL.memory_limit", "256m", True),
        ("POOL.memory_limit", "1.5G", True),
        ("POOL.memory_limit", "256MB", False),
        ("POOL.memory_limit", 134217728, True),
        ("POOL.processes", 0, True),
        ("POOL.umask", "027", True),
        ("POOL.umask", 27, False),
        ("POOL.autorestart", True, True),
        ("POOL.autorestart", "unexpected", True),
        ("POOL.autorestart", False, False),
        ("POOL.exitcodes", [0, "75"], True),
        ("POOL.exitcodes", [256], False),
        ("POOL.exitcodes", "0,2", False),
        ("POOL.stopsignal", "QUIT", True),
        ("POOL.stopsignal", "KILL", False),
        ("POOL.stdout_logfile", "/dev/stdout", True),
        ("POOL.stdout_logfile", "/var/log/sms/%(program_name)s_%(process_num)02d.log", True),
        ("POOL.stdout_logfile", "/var/log/../../etc/passwd", False),
        ("POOL.stdout_logfile", "/srv/sms/shared/var/x.log", False),
        ("POOL.stderr_logfile_maxbytes", "5MB", True),
        ("POOL.stderr_logfile_maxbytes", "5M", False),
        ("POOL.options", ["--order", "weighted"], True),
        ("POOL.options", ["--order weighted"], False),
        ("POOL.user", "root", False),
        ("messenger_app_root", "/srv/../etc", False),
        ("messenger_app_root", "/", False),
        ("messenger_app_user", "root", False),
        ("messenger_app_name", "Sms", False),
        ("messenger_worker_drain", True, False),
        ("messenger_worker_layout", "slot", False),
        ("messenger_worker_conf_name", "../x.conf", False),
        ("messenger_deploy_serial", [1, "25%", "100%"], True),
        ("messenger_deploy_serial", [0], False),
        ("messenger_deploy_serial", ["0%"], False),
        ("messenger_deploy_serial", "25%", False),
        ("messenger_deploy_after", "hooks/after.yml", False),
        ("messenger_app_keep_releases", 0, False),
    ],
)
def test_what_is_taken(name: str, value: Any, good: bool) -> None:
    assert bool(found(name, value)) is not good


def test_what_is_written_of_a_value_is_the_same_in_both(tmp_path: Path) -> None:
    environment = {"YES": True, "NO": False, "INT": 7, "FLOAT": 1.5, "TEXT": "True", "EMPTY": ""}
    variables: dict[str, Any] = {
        "messenger_app_name": "sms",
        "messenger_app_env": environment,
        "messenger_app_root": str(tmp_path),
    }
    text = render(ROOT / "templates/messenger.env.j2", "messenger_app", **variables)
    variables |= {
        "messenger_worker_pools": [POOL | {"environment": environment}],
        "messenger_app_user": getpass.getuser(),
    }
    (tmp_path / "shared/log").mkdir(parents=True)
    (tmp_path / "worker.conf").write_text(render(TEMPLATE, "messenger_worker", **variables))
    (process,) = loaded(tmp_path / "worker.conf").values()
    for name in environment:
        assert f"{name}='{process.environment[name]}'" in text


@pytest.mark.parametrize("secret", ["messenger_app_env", "messenger_app_index_url", "redis_password", "redis_users"])
def test_no_secret_is_in_a_finding(secret: str) -> None:
    for value in (
        "hunter2",
        ["hunter2"],
        {"A": ["hunter2"]},
        {"A": "hunter2\r"},
        [{"name": "x", "password": ["hunter2"]}],
    ):
        assert "hunter2" not in str(found(secret, value))


@pytest.fixture
def inventory(tmp_path: Path) -> Any:
    """Make an inventory of one host with these variables."""

    def make(**variables: Any) -> Path:
        host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
        file = tmp_path / "hosts.yml"
        file.write_text(yaml.safe_dump({group: {"hosts": {"this": host}} for group in ("redis", "workers")}))
        return file

    return make


def play(playbook: str, inventory: Path, *words: str) -> tuple[int, str]:
    """Exit code and words of a playbook."""
    ran = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, *words, f"playbooks/{playbook}.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def last_play(said: str) -> str:
    return (
        said.rpartition("PLAY [")[2]
        if "PLAY RECAP" not in said
        else said.rpartition("\nPLAY RECAP")[0].rpartition("PLAY [")[2]
    )


@pytest.mark.parametrize("playbook", ["site", "deploy", "rollback", "scale"])
def test_it_ends_before_anything_is_done(inventory: Any, playbook: str) -> None:
    pools = [POOL | {"numprocs": 4, "environment": {"FOO": None}}]
    file = inventory(
        messenger_worker_pools=pools,
        messenger_worker_stop_timeout=2.5,
        messenger_worker_stop_timout=30,
        messenger_app_env={"DSN": "{{ vault_dsn }}"},
    )
    code, said = play(playbook, file, *(["-e", "pool=x", "-e", "processes=1"] if playbook == "scale" else []))
    assert code == 2
    assert last_play(said).startswith("Check what is asked for]")
    for line in (
        "messenger_worker_pools (messenger-consume): unknown key 'numprocs' -> processes: N",
        "messenger_worker_pools (messenger-consume): environment: FOO is empty (null) -> names of",
        "messenger_worker_stop_timeout: it is 2.5 -> a whole number from 1 to 604800",
        "messenger_worker_stop_timout: there is no such variable -> messenger_worker_stop_timeout?",
        "messenger_app_env: cannot be evaluated: 'vault_dsn' is undefined -> define it, or correct it",
    ):
        assert line in said


def test_doctor_finds_it_and_looks_no_further(inventory: Any) -> None:
    code, said = play("doctor", inventory(messenger_worker_pools="none", messenger_app_keep_releases=0))
    assert code == 2
    assert "this: 2 to repair, not looked at: its variables come first" in said
    assert "messenger_worker_pools: it is text" in said
    assert last_play(said).startswith("Report what was found]")


def test_files_that_are_needed_later_are_read_first(inventory: Any, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text("- ansible.builtin.debug: {msg: x}\n")
    (tmp_path / "torn.yml").write_text("- ansible.builtin.debug: {msg: x\n")
    (tmp_path / "play.yml").write_text("hosts: all\n")
    good, bad = f"{tmp_path}/good.yml", [f"{tmp_path}/{name}.yml" for name in ("torn", "play", "gone")]
    file = inventory(
        messenger_deploy_before_switch=[good],
        messenger_deploy_after_switch=bad,
        messenger_worker_template=f"{tmp_path}/gone.j2",
    )
    code, said = play("deploy", file)
    assert code == 2
    assert last_play(said).startswith("Check what is asked for]")
    assert "messenger_deploy_before_switch:" not in said
    for words in ("torn.yml' cannot be read: ", "play.yml' is no list of tasks", "gone.yml' cannot be read: "):
        assert words in said
    assert "messenger_worker_template: " in said


@pytest.mark.parametrize(
    ("playbook", "word"), [("rollback", "release"), ("remove", "discard"), ("restore", "stop"), ("failed", "confirm")]
)
def test_a_word_for_the_command_line_is_not_an_inventory_s(inventory: Any, playbook: str, word: str) -> None:
    code, said = play(playbook, inventory(**{word: "true"}))
    assert code == 2
    assert last_play(said).startswith("Check what is asked for]")
    assert f"{word}: the inventory sets it -> another name there; here it means what the command line says" in said


def test_on_the_command_line_it_is_taken(inventory: Any) -> None:
    _, said = play("rollback", inventory(), "-e", "release=20260101T000000Z-x", "--check")
    assert "the inventory sets it" not in said


WORDS: dict[str, Any] = MORE["words"]


@pytest.mark.parametrize("file", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda file: file.stem)
def test_every_word_of_a_command_line_is_named(file: Path) -> None:
    """The names without a role's prefix that a playbook takes are in its messenger_app_words."""
    head, *plays = yaml.safe_load(file.read_text())
    text = yaml.safe_dump(plays, width=10**6)
    used = {word for word in WORDS if re.search(rf"(?<![\w.'-]){word} \| default[(]", text)}
    assert used <= set(head.get("vars", {}).get("messenger_app_words", []))


def test_no_name_that_the_kit_itself_sets_is_taken_for_a_misspelt_one() -> None:
    names = {
        name
        for folder in (ROLES, ROOT / "playbooks", ROOT / "inventory", ROOT / "molecule")
        for file in [*folder.rglob("*.yml"), *folder.rglob("*.j2")]
        for name in re.findall(r"\bmessenger_[a-z_]+\b", file.read_text())
    }
    assert len(names) > 50
    rows = list(inputs.ActionModule._misspelt(dict.fromkeys(names), MAIN | MORE["options"], KNOWN))
    assert rows == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("messenger_worker_stop_timout", "messenger_worker_stop_timeout?"),
        ("messenger_app_enviroment", None),
        ("messenger_worker_pool", "messenger_worker_pools?"),
        ("messenger_app_env_common", None),
        ("messenger_app_env2", None),
        ("messenger_shop_colour", None),
    ],
)
def test_a_misspelt_name(name: str, meant: str | None) -> None:
    rows = list(inputs.ActionModule._misspelt({name: 1}, MAIN, KNOWN))
    assert [row["change"] for row in rows] == ([meant] if meant else [])


def test_every_word_is_taken_by_a_playbook() -> None:
    heads = [yaml.safe_load(file.read_text())[0] for file in (ROOT / "playbooks").glob("[a-z]*.yml")]
    taken = {word for head in heads for word in head.get("vars", {}).get("messenger_app_words", [])}
    assert taken == set(WORDS)


@pytest.mark.parametrize(
    ("word", "value"), [("lines", "many"), ("processes", "2.5"), ("stop", "perhaps"), ("pool", [])]
)
def test_a_word_of_another_kind_is_refused(word: str, value: Any) -> None:
    assert list(inputs.Inputs(MORE["rules"]).value(word, word, "", value, WORDS[word]))


@pytest.mark.parametrize("ids", ["17", "17,18", 17, [17, "18"]])
def test_ids_are_a_list_or_have_commas(ids: Any) -> None:
    assert not list(inputs.Inputs(MORE["rules"]).value("ids", "ids", "", ids, WORDS["ids"]))
