"""Module supervisor_conf: Supervisor's own parser decides whether a worker configuration is put into place."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.roles.worker_conf import CHECKER, POOL, check, rendered
from tests.support.modules import MODULES, answer_of, load


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


def test_checker_finds_a_name_that_is_taken(app_root: Path, tmp_path: Path) -> None:
    checker = load(CHECKER)
    main = tmp_path / "main.conf"
    (tmp_path / "conf.d").mkdir()
    main.write_text("[supervisord]\n[include]\nfiles = conf.d/*.conf\n")
    own = tmp_path / "conf.d/messenger-worker.conf"
    os.symlink(rendered(app_root), own)
    checker.check(own, own, main, {"messenger-consume"})
    (tmp_path / "conf.d/other.conf").write_text("[program:messenger-consume]\ncommand=/bin/cat\n")
    with pytest.raises(ValueError, match="defined in .*other.conf already"):
        checker.check(own, own, main, {"messenger-consume"})


@pytest.fixture
def asked(app_root: Path, tmp_path: Path) -> dict[str, Any]:
    """What the role asks of the module for a pool that Supervisor takes."""
    (tmp_path / "conf.d").mkdir()
    return {
        "dest": str(tmp_path / "worker.conf"),
        "content": rendered(app_root).read_text(),
        "link": str(tmp_path / "conf.d/worker.conf"),
        "linked": True,
        "groups": ["messenger-consume"],
        "python": sys.executable,
        "config": str(tmp_path / "supervisord.conf"),
    }


def put(asked: dict[str, Any], check_mode: bool = False, **changed: Any) -> dict[str, Any]:
    """What the module answers."""
    return answer_of(MODULES / "supervisor_conf.py", asked | changed, check_mode)


def test_a_configuration_is_put_into_place_once(asked: dict[str, Any]) -> None:
    dest, link = Path(asked["dest"]), Path(asked["link"])
    foreseen = put(asked, check_mode=True)
    assert (foreseen["changed"], dest.exists(), link.is_symlink()) == (True, False, False)
    assert (foreseen["diff"]["before"], foreseen["diff"]["after"]) == ("", asked["content"])
    assert put(asked)["changed"] is True
    assert (dest.read_text(), dest.stat().st_mode & 0o7777) == (asked["content"], 0o644)
    assert os.readlink(link) == str(dest)
    assert put(asked)["changed"] is False
    assert put(asked, check_mode=True)["changed"] is False
    dest.chmod(0o666)
    assert put(asked)["changed"] is True
    assert dest.stat().st_mode & 0o7777 == 0o644


def test_what_supervisor_would_refuse_leaves_all_as_it_was(asked: dict[str, Any]) -> None:
    put(asked)
    refused = put(asked, content=asked["content"].replace("startsecs=5", "startsecs=many"))
    assert "many" in refused["msg"]
    assert Path(asked["dest"]).read_text() == asked["content"]
    assert sorted(path.name for path in Path(asked["dest"]).parent.glob("*worker.conf*")) == [
        "messenger-worker.conf",
        "worker.conf",
    ]


def test_a_file_in_the_place_of_the_link_is_not_replaced(asked: dict[str, Any]) -> None:
    Path(asked["link"]).write_text("of another")
    assert "is a file, not a link" in put(asked)["msg"]
    assert Path(asked["link"]).read_text() == "of another"


def test_what_is_there_is_checked_without_a_change(asked: dict[str, Any]) -> None:
    put(asked)
    there = {name: value for name, value in asked.items() if name != "content"}
    assert put(there) | {"invocation": {}} == {"changed": False, "problem": "", "invocation": {}}
    assert "wanted other" in put(there, groups=["other"])["problem"]
