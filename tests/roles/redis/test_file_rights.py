"""What the modules of the role redis write holds passwords or messages: nobody else may read it."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.roles.kit_redis import KitRedis, role_module
from tests.support.modules import MODULES, answer_of


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str]]:
    """Name of a file or directory -> to whom it was given; only root could do that."""
    found: dict[str, tuple[str, str]] = {}

    def chown(path: Path, user: str, group: str) -> None:
        found[path.name] = (user, group)

    monkeypatch.setattr("shutil.chown", chown)
    return found


def rights(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o644])
def test_the_main_file_keeps_its_rights(tmp_path: Path, mode: int) -> None:
    main, file = tmp_path / "redis.conf", tmp_path / "kit.conf"
    main.write_text("port 6379\n")
    main.chmod(mode)
    file.write_text("appendonly yes\n")
    answer = answer_of(MODULES / "redis_include.py", {"main": str(main), "file": str(file)})
    assert answer["changed"]
    assert f"include {file}" in main.read_text()
    assert rights(main) == oct(mode)


def test_sentinel_s_file_is_for_redis_only(tmp_path: Path, given: dict[str, tuple[str, str]]) -> None:
    role_module("redis_sentinel_file").write(tmp_path / "sentinel.conf", "sentinel sentinel-pass x\n")
    assert rights(tmp_path / "sentinel.conf") == "0o640"
    assert given == {".sentinel.conf.kit": ("redis", "redis")}


def test_a_dump_is_for_its_owner_only(tmp_path: Path) -> None:
    server = KitRedis()
    try:
        server.start()
        copy = tmp_path / "redis.rdb"
        arguments = {"copy": str(copy), "owner": getpass.getuser(), "config": str(server.config)}
        assert answer_of(MODULES / "redis_backup.py", arguments)["key_count"] == 0
        assert rights(copy) == "0o600"
    finally:
        server.destroy()


def test_restored_data_and_what_was_there_is_for_redis_only(tmp_path: Path, given: dict[str, tuple[str, str]]) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"old")
    (tmp_path / "new.rdb").write_bytes(b"new")
    module = role_module("redis_restore")
    module.put_aside(tmp_path, tmp_path / "before")
    module.place(tmp_path, tmp_path / "new.rdb")
    assert rights(tmp_path / "before") == "0o700"
    assert {rights(path) for path in (tmp_path / "appendonlydir").iterdir()} == {"0o640"}
    assert rights(tmp_path / "appendonlydir") == "0o750"
    assert set(given.values()) == {("redis", "redis")}
    assert len(given) == 3
