"""Reads the programs of a Supervisor configuration as supervisord does (Supervisor 4, supervisor/options.py)."""

from __future__ import annotations

import configparser
import glob
import os
import platform
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TRUE = frozenset(("yes", "true", "on", "1"))
_FALSE = frozenset(("no", "false", "off", "0"))
_HERE = "%(here)s"
_SHELLS = frozenset(("sh", "bash", "dash"))
_TAKES = re.compile("-[a-z]*c")  # a shell's option, as in -lc: what comes next is a script


class ConfUnreadable(Exception):
    """A configuration that supervisord would refuse, or that only its own user or environment can read.

    Attributes:
        change: What to change.
    """

    def __init__(self, message: str, change: str = "mend it; `supervisorctl reread` must take it") -> None:
        super().__init__(message)
        self.change = change


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs `messenger consume`. Times are seconds.

    Attributes:
        file: The file that it is in.
        arguments: The arguments of `consume`.
        behind_shell: True when a shell is between Supervisor and the worker.
    """

    file: Path
    name: str
    arguments: tuple[str, ...]
    behind_shell: bool
    autorestart: str
    exitcodes: tuple[int, ...]
    startsecs: int
    stopsignal: str
    stopwaitsecs: int
    stopasgroup: bool
    killasgroup: bool


def read_programs(path: Path, environ: Mapping[str, str] = os.environ) -> list[Program]:
    """Return the programs of a file, and of those that it includes, that run `messenger consume`.

    Args:
        path: The file.
        environ: Values of ``%(ENV_X)s``.

    Raises:
        ConfUnreadable: The file cannot be read.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    common = {f"ENV_{name}": value for name, value in environ.items()} | {"host_node_name": platform.node()}
    files = dict.fromkeys(_read(parser, path), path)
    for included in _included(parser, path, common):
        files |= dict.fromkeys(_read(parser, included), included)
    programs = [
        _Section(parser, section, file, common).program()
        for section, file in files.items()
        if section.startswith("program:")
    ]
    return [program for program in programs if program is not None]


def _read(parser: configparser.RawConfigParser, path: Path) -> list[str]:
    """Read a file into the parser; the sections that are new. `here` is the directory of the file it stands in."""
    before = set(parser.sections())
    try:
        text = path.read_text(encoding="utf-8")
        if "\0" in text:
            raise ConfUnreadable(f"{path}: holds a NUL byte")
        parser.read_string(text)
    except OSError as error:
        why = f"{path}: cannot be read: {error.strerror}"
        raise ConfUnreadable(why, "run the check as a user who can read it") from None
    except UnicodeDecodeError as error:
        raise ConfUnreadable(f"{path}: is no text in UTF-8: {error.reason}") from None
    except configparser.Error as error:
        raise ConfUnreadable(f"{path}: {' '.join(str(error).split())}") from None
    for section in parser.sections():
        for name, value in parser.items(section):
            parser.set(section, name, value.replace(_HERE, str(path.absolute().parent)))
    return [section for section in parser.sections() if section not in before]


def _included(parser: configparser.RawConfigParser, path: Path, expansions: Mapping[str, object]) -> list[Path]:
    """What [include] names, by patterns beside this file. An [include] in one of those says nothing."""
    if not parser.has_section("include"):
        return []
    if not parser.has_option("include", "files"):
        raise ConfUnreadable(f"{path}: [include] without files")
    patterns = _expand("include", "files", parser.get("include", "files"), expansions).split()
    found = [sorted(glob.glob(os.path.join(path.absolute().parent, pattern))) for pattern in patterns]
    return [Path(file) for matches in found for file in matches]


def _expand(section: str, name: str, value: str, expansions: Mapping[str, object]) -> str:
    try:
        return value % expansions
    except KeyError as error:
        change = "run the check with the environment that supervisord has"
        raise ConfUnreadable(f"[{section}] {name}: {error} is not set here", change) from None
    except (TypeError, ValueError) as error:
        raise _error(section, name, f"found {value!r} ({error}); write a single % as %%") from None


def _error(section: str, name: str, reason: str) -> ConfUnreadable:
    return ConfUnreadable(f"[{section}] {name}: {reason}")


class _Section:
    def __init__(
        self, parser: configparser.RawConfigParser, section: str, file: Path, common: Mapping[str, object]
    ) -> None:
        self._section = section
        self._file = file
        self._items = dict(parser.items(section))
        self._name = section.split(":", 1)[1].strip()
        names = {"program_name": self._name, "group_name": self._name}
        self._expansions = {**common, **names, "process_num": 0, "numprocs": 1}

    def program(self) -> Program | None:
        """None when it runs something else."""
        command = _consume(self._get("command", ""))
        if command is None:
            return None
        arguments, behind_shell = command
        stopasgroup = self._boolean("stopasgroup", "false")
        return Program(
            file=self._file,
            name=self._name,
            arguments=tuple(arguments),
            behind_shell=behind_shell,
            autorestart=self._get("autorestart", "unexpected").lower(),
            exitcodes=tuple(self._whole("exitcodes", code) for code in self._get("exitcodes", "0").split(",")),
            startsecs=self._whole("startsecs", self._get("startsecs", "1")),
            stopsignal=self._get("stopsignal", "TERM").upper().removeprefix("SIG"),
            stopwaitsecs=self._whole("stopwaitsecs", self._get("stopwaitsecs", "10")),
            stopasgroup=stopasgroup,
            killasgroup=self._boolean("killasgroup", str(stopasgroup)),
        )

    def _get(self, name: str, default: str) -> str:
        return _expand(self._section, name, self._items.get(name, default), self._expansions)

    def _whole(self, name: str, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise _error(self._section, name, f"found {text!r}; allowed: a whole number") from None

    def _boolean(self, name: str, default: str) -> bool:
        text = self._get(name, default).lower()
        if text not in _TRUE | _FALSE:
            raise _error(self._section, name, f"found {text!r}; allowed: true or false")
        return text in _TRUE


def _consume(command: str) -> tuple[list[str], bool] | None:
    """Return the arguments of `messenger consume`, and True when a shell stays in between; None for other commands."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words and Path(words[0]).name in _SHELLS:
        script = next((after for word, after in zip(words[1:], words[2:], strict=False) if _TAKES.fullmatch(word)), "")
        inner = _consume(script)
        return inner and (inner[0], not script.lstrip().startswith("exec "))
    messenger = next((n for n, word in enumerate(words) if Path(word).name in ("messenger", "messenger.cli")), None)
    if messenger is None or "consume" not in words[messenger:]:
        return None
    return words[words.index("consume", messenger) + 1 :], False
