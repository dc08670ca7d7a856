"""What the build of a wheel on the controller may use and see: an application's backend, and an sdist's."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.roles.applications import make_application, make_index, make_wheel, pinned
from tests.roles.sources import build_release, content_of, fetch, host, ship
from tests.support.modules import ROLES, load

commands = load(ROLES / "messenger_app/files/commands.py")

BACKEND = """\
import json, os, sys, zipfile

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "shop-1.0-py3-none-any.whl"
    info = "shop-1.0.dist-info"
    try:
        terminal = bool(open("/dev/tty"))
    except OSError:
        terminal = False
    seen = {
        "environment": dict(os.environ),
        "terminal": terminal,
        "session": os.getsid(0) == os.getsid(os.getppid()) and os.getsid(0),
        "input": sys.stdin.read() if sys.stdin else "",
        "where": os.getcwd(),
    }
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr("shop.py", json.dumps(seen))
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "shop"
version = "1.0"
"""
SECRETS = {
    "ANSIBLE_VAULT_PASSWORD_FILE": "s3cret",
    "ANSIBLE_BECOME_PASSWORD": "s3cret",
    "SSH_AUTH_SOCK": "/s3cret",
    "PIP_INDEX_URL": "https://reader:s3cret@example.org/simple",
    "GITHUB_TOKEN": "s3cret",
    "VAULT_ADDR": "s3cret",
    "PYTHONPATH": "/s3cret",
}


def seen(origin: dict[str, str], work: Path, **other: str) -> dict[str, object]:
    """What the backend of the application saw."""
    built = content_of(build_release(work, origin, **other)["archive"])
    with zipfile.ZipFile(io.BytesIO(built["wheels/shop-1.0-py3-none-any.whl"])) as wheel:
        found: dict[str, object] = json.loads(wheel.read("shop.py"))
    return found


def curious(root: Path) -> Path:
    """An application whose build writes down what it sees."""
    make_application(root)
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(PROJECT)
    return root


@pytest.mark.parametrize("locked", [False, True])
def test_a_build_sees_nothing_of_the_operator_s_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    origin = fetch(tmp_path / "cache", curious(tmp_path / "app"))
    for name, value in SECRETS.items():
        if name != "PYTHONPATH":
            monkeypatch.setenv(name, value)
    lock = tmp_path / "build.lock"
    lock.write_text("# nothing but pip is needed\n")
    found = seen(origin, tmp_path, build_lock=str(lock) if locked else "")
    environment = found["environment"]
    assert isinstance(environment, dict)
    assert not [name for name in environment if name in SECRETS or name.startswith("ANSIBLE_")]
    assert "s3cret" not in json.dumps(found)
    assert environment["HOME"] != os.environ.get("HOME")
    assert not Path(environment["HOME"]).exists()
    assert found["terminal"] is False
    assert found["session"] != os.getsid(0)


def test_build_requirements_come_from_a_lock_file_with_hashes(tmp_path: Path) -> None:
    """In an environment of the build's own; nothing else is fetched, whatever pyproject.toml asks for."""
    application = curious(tmp_path / "app")
    tool = make_wheel(tmp_path / "wheels", "tool", "VALUE = 'from the lock'\n")
    index = f"file://{make_index(tmp_path / 'simple', tool)}"
    (application / "backend.py").write_text("import tool\n" + BACKEND.replace('"where"', '"tool": tool.VALUE, "where"'))
    (application / "pyproject.toml").write_text(PROJECT.replace("requires = []", 'requires = ["tool>=1"]'))
    origin = fetch(tmp_path / "cache", application)
    problem = build_release(tmp_path, origin, index_url=index)["problem"]
    assert "messenger_app_build_lock" in problem
    lock = tmp_path / "build.lock"
    lock.write_text(pinned(tool))
    assert seen(origin, tmp_path, build_lock=str(lock), index_url=index)["tool"] == "from the lock"
    (application / "pyproject.toml").write_text(PROJECT.replace("requires = []", 'requires = ["tool>=2"]'))
    problem = build_release(tmp_path, origin, build_lock=str(lock), index_url=index)["problem"]
    assert problem.endswith("tool>=2 (add them to: messenger_app_build_lock)")
    for text, said in (("tool==1.0\n", "needs --hash"), (pinned(make_wheel(tmp_path / "x", "tool", "")), "HASHES")):
        lock.write_text(text)
        assert said in build_release(tmp_path, origin, build_lock=str(lock), index_url=index)["problem"]
    assert "There is no file" in build_release(tmp_path, origin, build_lock=str(tmp_path / "none"))["problem"]


def test_setuptools_ships_what_the_source_has_and_leaves_nothing_there(tmp_path: Path) -> None:
    source = tmp_path / "app"
    (source / "src/shop").mkdir(parents=True)
    (source / "src/shop/__init__.py").touch()
    (source / "build/lib/shop").mkdir(parents=True)  # of a build by hand
    (source / "build/lib/shop/gone.py").touch()
    (source / "pyproject.toml").write_text(
        PROJECT.replace('"backend"', '"setuptools.build_meta"').replace('backend-path = ["."]', "")
    )
    before = sorted(source.rglob("*"))
    build = ("-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir")
    for number in ("one", "two"):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        commands.run_build(sys.executable, *build, str(tmp_path / number), str(source), home=home)
    assert sorted(source.rglob("*")) == before
    first, second = (next((tmp_path / number).iterdir()) for number in ("one", "two"))
    with zipfile.ZipFile(first) as wheel:
        assert [name for name in wheel.namelist() if name.startswith("shop/")] == ["shop/__init__.py"]
    assert first.read_bytes() == second.read_bytes()


def test_an_sdist_among_the_dependencies_is_built_as_blindly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "shop-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as tar:
        tar.add(curious(tmp_path / "app"), "shop-1.0")
    index = make_index(tmp_path / "simple", source)
    for name, value in SECRETS.items():
        if name not in ("PYTHONPATH", "PIP_INDEX_URL"):
            monkeypatch.setenv(name, value)
    shipped = ship(tmp_path, pinned(source), index, host(), source_distributions=["shop"])
    assert shipped == {"shop-1.0-py3-none-any.whl"}
    wheel = content_of(tmp_path / "shipped.tar")["shop-1.0-py3-none-any.whl"]
    with zipfile.ZipFile(io.BytesIO(wheel)) as content:
        assert b"s3cret" not in content.read("shop.py")


def test_a_build_that_fails_says_so_in_one_line(tmp_path: Path) -> None:
    application = make_application(tmp_path / "app")
    (application / "src/shop/__init__.py").unlink()
    (application / "src/shop").rmdir()
    (application / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'nothing'\n")
    problem = build_release(tmp_path, fetch(tmp_path / "cache", application))["problem"]
    assert problem.startswith(f"{application} could not be built: ")
    assert "\n" not in problem
