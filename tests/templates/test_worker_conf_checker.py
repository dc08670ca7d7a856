"""check-worker-conf, the checker of a worker configuration that the role puts on hosts."""

from __future__ import annotations

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from tests.templates.worker_conf import CHECKER, POOL, check, rendered


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
