"""Tasks of the role redis that hold a secret: it is in no output, in no diff, and in no file that others can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.modules import ROLES

ROLE = ROLES / "redis"
SECRET = r"\b(\w*password|redis_tls_key|redis_users)\b"
# Names of the users, and whether there are any.
HARMLESS = re.compile(r"redis_users\s*\|\s*(length|map\(attribute='name'\))|if redis_users\b")
WRITES = ("ansible.builtin.template", "ansible.builtin.copy", "ansible.builtin.assemble")
TAKES = (*WRITES, "messenger.kit.redis_sentinel_file", "messenger.kit.host_record_info", "messenger.kit.host_record")
Task = dict[str, Any]


def tasks_of(entries: list[Task]) -> Iterator[Task]:
    """All tasks, those in blocks too."""
    for entry in entries:
        yield entry
        for part in ("block", "rescue", "always"):
            yield from tasks_of(entry.get(part, []))


def secrets() -> re.Pattern[str]:
    """The names of what is secret, with the variables that are made of it."""
    values = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    pattern, before = re.compile(SECRET), 0
    found: set[str] = set()
    while len(found) > before or not found:
        before = len(found)
        found |= {name for name, value in values.items() if pattern.search(HARMLESS.sub("", str(value)))}
        pattern = re.compile("|".join([SECRET, *(rf"\b{name}\b" for name in found)]))
    return pattern


def secret_tasks() -> dict[str, tuple[str, Task]]:
    """Name of the task -> its module, and the task."""
    pattern = secrets()
    found = {}
    for file in sorted((ROLE / "tasks").glob("*.yml")):
        for task in tasks_of(yaml.safe_load(file.read_text())):
            for module in set(TAKES) & task.keys():
                text = str(task[module]) + str(task.get("loop"))
                sources = [path.read_text() for path in (ROLE / "templates").glob("*.j2") if path.name in text]
                texts = HARMLESS.sub("", "\n".join([text, *sources]))
                if pattern.search(texts) or module == "ansible.builtin.assemble":
                    found[f"{file.stem}: {task['name']}"] = (module, task)
    return found


FOUND = secret_tasks()


def test_they_are_found() -> None:
    assert {name.partition(":")[0] for name in FOUND} == {"configure", "remove", "replication", "tls"}
    assert "configure: Template the password" in FOUND


@pytest.mark.parametrize("name", FOUND)
def test_a_secret_is_not_shown_and_not_readable(name: str) -> None:
    module, task = FOUND[name]
    assert task.get("no_log") == "{{ redis_secure_logging }}"
    if module in WRITES:
        assert task.get("diff") is False
        assert task[module]["mode"] in ("0600", "0640")
        assert task[module]["owner"] == "root"


@pytest.mark.parametrize("role", ["redis", "supervisor"])
def test_only_root_may_change_what_the_roles_write(role: str) -> None:
    """But for the data of Redis, which is Redis's."""
    written = []
    for file in sorted((ROLES / role / "tasks").glob("*.yml")):
        for task in tasks_of(yaml.safe_load(file.read_text())):
            for module in {*WRITES, "ansible.builtin.file"} & task.keys():
                given = task[module]
                if given.get("state") not in ("absent", "link") and task.get("delegate_to") != "localhost":
                    written.append((f"{file.stem}: {task['name']}", given.get("owner"), str(given.get("mode"))))
    data = [name for name, owner, _ in written if owner == "redis"]
    assert data == (["restore: Ensure that the host has the dump"] if role == "redis" else [])
    assert [name for name, owner, _ in written if owner not in ("root", "redis")] == []
    assert [name for name, _, mode in written if mode != "go-w" and int(mode, 8) & 0o022] == []
    assert len(written) >= 5
