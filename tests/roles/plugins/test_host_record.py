"""What the kit records on a host: what each application needs of a service, and which packages it installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import MODULES, answer_of

NEEDS: dict[str, Any] = {"application": "sms", "settings": {"redis_port": 6379, "redis_password": "0" * 64}}
SMS: dict[str, Any] = {"service": "redis", "application": "sms", "needs": NEEDS}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "messenger-kit"


def record(directory: Path, check_mode: bool = False, **given: Any) -> bool:
    """Whether the module changes something."""
    answer = answer_of(MODULES / "host_record.py", {"directory": str(directory), **given}, check_mode)
    assert "failed" not in answer, answer
    return bool(answer["changed"])


def read(directory: Path, application: str = "shop", **given: Any) -> dict[str, Any]:
    question = {"directory": str(directory), "service": "redis", "application": application, **given}
    return answer_of(MODULES / "host_record_info.py", question, check_mode=True)


def rights(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_others_read_what_an_application_needs(directory: Path) -> None:
    assert read(directory)["others"] == []
    assert [record(directory, **SMS), record(directory, **SMS)] == [True, False]
    assert read(directory)["others"] == [NEEDS]
    assert read(directory, "sms")["others"] == []
    assert read(directory, service="supervisor")["others"] == []


def test_a_change_is_written_and_only_root_reads_it(directory: Path) -> None:
    record(directory, **SMS)
    assert record(directory, **SMS | {"needs": NEEDS | {"users": ["sms"]}})
    file = directory / "redis/sms.json"
    assert json.loads(file.read_text())["users"] == ["sms"]
    assert [rights(path) for path in (directory, file.parent, file)] == ["0o755", "0o755", "0o600"]
    assert [path.name for path in file.parent.iterdir()] == ["sms.json"]


def test_check_mode_writes_nothing(directory: Path) -> None:
    assert record(directory, check_mode=True, packages=["supervisor"], **SMS)
    assert not directory.exists()
    record(directory, **SMS)
    assert record(directory, check_mode=True, state="absent", service="redis", application="sms")
    assert read(directory)["others"] == [NEEDS]


def test_the_record_of_one_application_is_removed(directory: Path) -> None:
    record(directory, **SMS)
    record(directory, **SMS | {"application": "web", "needs": {"application": "web"}})
    gone: dict[str, Any] = {"state": "absent", "service": "redis", "application": "sms"}
    assert [record(directory, **gone), record(directory, **gone)] == [True, False]
    assert read(directory)["others"] == [{"application": "web"}]


def test_packages_are_added(directory: Path) -> None:
    assert record(directory, packages=["redis-server", "python3-apt"])
    assert record(directory, packages=["python3-apt", "supervisor"])
    assert not record(directory, packages=["supervisor"])
    assert (directory / "packages").read_text() == "redis-server\npython3-apt\nsupervisor\n"
    assert rights(directory / "packages") == "0o644"
    assert read(directory)["packages"] == ["redis-server", "python3-apt", "supervisor"]


def test_which_packages_are_missing(directory: Path) -> None:
    assert read(directory, packages=["dpkg", "no-such-package"])["missing"] == ["no-such-package"]
    assert read(directory)["missing"] == []


def test_a_record_that_cannot_be_read_is_an_error(directory: Path) -> None:
    record(directory, **SMS)
    (directory / "redis/sms.json").write_text("{")
    assert "cannot read what applications need" in read(directory)["msg"]
