"""The pytest plugin, loaded by its entry point in a pytest of its own, and the example of docs/testing.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

BLOCK = re.compile(r"^```\w+\n# (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Project:
    """A directory where pytest is run, with the package installed as pyproject.toml says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        self.directory.mkdir()
        points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
        self._installed = directory / "installed"
        info = self._installed / "of_this_test-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: of-this-test\nVersion: 1\n")
        lines = [f"{name} = {module}\n" for name, module in points.items()]
        (info / "entry_points.txt").write_text("".join(["[pytest11]\n", *lines]))

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def pytest(self, *arguments: str, below: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join((str(self._installed), str(ROOT / "src")))
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
            cwd=self.directory / below,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": paths, **environ},
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def write_example(project: Project) -> list[str]:
    blocks = dict(BLOCK.findall((ROOT / "docs" / "testing.md").read_text()))
    for name, text in blocks.items():
        project.write(name, text)
    return sorted(blocks)


def test_the_example_in_the_docs_passes(project: Project) -> None:
    assert write_example(project) == ["messenger.yaml", "pytest.ini", "shop.py", "test_shop.py"]
    ran = project.pytest(MESSENGER_TRANSPORT_DSN="redis://unused")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_a_failure_points_at_the_line_of_the_test(project: Project) -> None:
    write_example(project)
    project.write(
        "test_shop.py",
        "import shop\n\ndef test_it(messenger):\n"
        "    messenger.application.dispatch(shop.SmsNotification('hallo'))\n"
        "    messenger.transport('async').assert_sent(shop.SmsNotification, content='hello')\n",
    )
    ran = project.pytest(MESSENGER_TRANSPORT_DSN="redis://unused")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "test_shop.py:5: AssertionError" in ran.stdout
    assert "E         1. SmsNotification(content='hallo')" in ran.stdout
    assert "messenger/testing/transport.py" not in ran.stdout


def test_the_config_is_relative_to_the_root_directory(project: Project) -> None:
    write_example(project)
    (project.directory / "messenger.yaml").rename(project.directory / "queues.yaml")
    (project.directory / "below").mkdir()
    project.write("pytest.ini", "[pytest]\npythonpath = .\nmessenger_config = queues.yaml\n")
    (project.directory / "test_shop.py").rename(project.directory / "below" / "test_shop.py")
    ran = project.pytest(below="below", MESSENGER_TRANSPORT_DSN="redis://unused")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_missing_config_is_said_in_one_line(project: Project) -> None:
    project.write("test_it.py", "def test_it(messenger): pass\n")
    ran = project.pytest()
    assert ran.returncode == 1
    assert f"ConfigError: {project.directory}/messenger.yaml: no such file" in ran.stdout


def test_unused_it_imports_nothing_of_the_package(project: Project) -> None:
    project.write(
        "test_it.py",
        "import sys\n\ndef test_it():\n"
        "    assert 'messenger_pytest' in sys.modules\n"
        "    assert [name for name in sys.modules if name.split('.')[0] in ('messenger', 'msgspec', 'redis')] == []\n",
    )
    ran = project.pytest()
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_may_be_named_on_the_command_line_too(project: Project) -> None:
    project.write("test_it.py", "def test_it(): pass\n")
    ran = project.pytest("-p", "messenger_pytest")
    assert ran.returncode == 0, ran.stdout + ran.stderr
