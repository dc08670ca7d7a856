"""Supervisor's configuration is read as Supervisor reads it: its own parser is asked for the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from messenger.checks.supervisor_conf import ConfUnreadable, Program, read_programs

WORKER = "[program:{name}]\ncommand=/bin/echo messenger consume {name}\n"


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write the files; the path of the first."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory / next(iter(files))


def by_supervisor(path: Path) -> dict[str, Any]:
    """The process configurations by the name of their program."""
    options = ServerOptions()
    options.realize(args=["-c", str(path), "-n"])
    return {group.name: group.process_configs[0] for group in options.process_group_configs}


def by_us(path: Path) -> dict[str, Program]:
    return {program.name: program for program in read_programs(path)}


def compare(path: Path) -> dict[str, Program]:
    """Ours, when they are Supervisor's."""
    ours, its = by_us(path), by_supervisor(path)
    assert sorted(ours) == sorted(its)
    for name, program in ours.items():
        assert its[name].command.split()[3:] == list(program.arguments)
        for setting in ("startsecs", "stopwaitsecs", "stopasgroup", "killasgroup"):
            assert getattr(its[name], setting) == getattr(program, setting), (name, setting)
    return ours


def test_what_it_includes(tmp_path: Path) -> None:
    files = {
        "etc/supervisord.conf": "[supervisord]\n"
        + WORKER.format(name="own")
        + "[include]\nfiles = conf.d/*.conf more/last.ini\n\t../elsewhere/[ab].conf none/*.conf\n",
        "etc/conf.d/b.conf": WORKER.format(name="b") + "stopwaitsecs=20\n",
        "etc/conf.d/a.conf": WORKER.format(name="a") + "stopwaitsecs=30\nstopasgroup=true\n",
        "etc/conf.d/not.ini": WORKER.format(name="not"),
        "etc/more/last.ini": WORKER.format(name="last") + "startsecs=7\n",
        "elsewhere/a.conf": WORKER.format(name="else") + "[program:b]\nstopwaitsecs=50\n",
        "elsewhere/c.conf": WORKER.format(name="c"),
    }
    programs = compare(write(tmp_path, files))
    assert sorted(programs) == ["a", "b", "else", "last", "own"]
    assert programs["b"].stopwaitsecs == 50  # what is read later wins
    assert programs["b"].file == tmp_path / "etc/conf.d/b.conf"


def test_an_absolute_path_and_here(tmp_path: Path) -> None:
    command = "[program:{0}]\ncommand=/bin/echo messenger consume %(here)s/{0} %(program_name)s %%x\n"
    files = {
        "etc/supervisord.conf": "[supervisord]\n"
        + command.format("own")
        + "[include]\nfiles = %(here)s/conf.d/*.conf "
        + f"{tmp_path}/elsewhere/c.conf\n",
        "etc/conf.d/a.conf": command.format("a"),
        "elsewhere/c.conf": command.format("c"),
    }
    programs = compare(write(tmp_path, files))
    assert {name: program.arguments[0] for name, program in programs.items()} == {
        "own": f"{tmp_path}/etc/own",
        "a": f"{tmp_path}/etc/conf.d/a",
        "c": f"{tmp_path}/elsewhere/c",
    }


def test_what_an_included_file_includes_is_not_read(tmp_path: Path) -> None:
    files = {
        "supervisord.conf": "[supervisord]\n[include]\nfiles = a.conf\n",
        "a.conf": WORKER.format(name="a") + "[include]\nfiles = b.conf\n",
        "b.conf": WORKER.format(name="b"),
    }
    assert list(compare(write(tmp_path, files))) == ["a"]


def test_the_environment_names_files(tmp_path: Path) -> None:
    files = {
        "supervisord.conf": "[include]\nfiles = %(ENV_WHERE)s/*.conf\n",
        "there/a.conf": WORKER.format(name="a"),
    }
    path = write(tmp_path, files)
    assert [program.name for program in read_programs(path, {"WHERE": "there"})] == ["a"]
    with pytest.raises(ConfUnreadable, match=r"\[include\] files: 'ENV_WHERE' is not set here") as caught:
        read_programs(path, {})
    assert caught.value.change == "run the check with the environment that supervisord has"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[include]\nfile = a.conf\n", "[include] without files"),
        (b"[include]\nfiles = bad.conf\n", "bad.conf: File contains no section headers."),
        (b"[include]\nfiles = latin1.conf\n", "latin1.conf: is no text in UTF-8"),
        (b"[include]\nfiles = directory.conf\n", "directory.conf: cannot be read: Is a directory"),
        (b"[include]\nfiles = 100%\n", "[include] files: found '100%'"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    write(tmp_path, {"bad.conf": "command=x\n", "directory.conf/x": ""})
    (tmp_path / "latin1.conf").write_bytes(b"[program:\xe4]\n")
    path = tmp_path / "supervisord.conf"
    path.write_bytes(text)
    with pytest.raises(ConfUnreadable) as caught:
        read_programs(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[include]\nfiles = a\0b.conf\n", WORKER.format(name="a") + "directory=\0\n"])
def test_a_nul_byte_is_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, {"worker.conf": text})
    with pytest.raises(ConfUnreadable) as caught:
        read_programs(path)
    assert str(caught.value) == f"{path}: holds a NUL byte"
