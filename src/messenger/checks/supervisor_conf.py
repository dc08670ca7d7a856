"""Reads the programs of a Supervisor configuration as supervisord does (Supervisor 4, supervisor/options.py)."""

from __future__ import annotations

import configparser
import os
import platform
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TRUE = frozenset(("yes", "true", "on", "1"))
_FALSE = frozenset(("no", "false", "off", "0"))
_SHELLS = frozenset(("sh", "bash", "dash"))


class ConfUnreadable(Exception):
    """A configuration that supervisord would refuse, or that only supervisord's own environment explains."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs `messenger consume`. Times are seconds.

    arguments: those of `consume`. behind_shell: a shell stands between Supervisor and the worker.
    """

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
    """The programs of a file that run `messenger consume`. Raises ConfUnreadable.

    environ: what ``%(ENV_X)s`` stands for.
    """
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfUnreadable(f"cannot be read: {error}") from None
    except configparser.Error as error:
        raise ConfUnreadable(" ".join(str(error).split())) from None
    sections = [section for section in parser.sections() if section.startswith("program:")]
    programs = [_Section(parser, section, path, environ).program() for section in sections]
    return [program for program in programs if program is not None]


class _Section:
    def __init__(
        self, parser: configparser.RawConfigParser, section: str, path: Path, environ: Mapping[str, str]
    ) -> None:
        self._section = section
        self._items = dict(parser.items(section))
        self._name = section.split(":", 1)[1].strip()
        self._expansions: dict[str, object] = {f"ENV_{name}": value for name, value in environ.items()}
        self._expansions |= {"here": str(path.parent), "host_node_name": platform.node(), "process_num": 0}
        self._expansions |= {"program_name": self._name, "group_name": self._name, "numprocs": 1}

    def program(self) -> Program | None:
        """None when it runs something else."""
        command = _consume(self._get("command", ""))
        if command is None:
            return None
        arguments, behind_shell = command
        stopasgroup = self._boolean("stopasgroup", "false")
        return Program(
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
        value = self._items.get(name, default)
        try:
            return value % self._expansions
        except KeyError as error:
            raise self._error(
                name, f"{error} is not set here; run the check with it set as supervisord has it"
            ) from None
        except (TypeError, ValueError) as error:
            raise self._error(name, f"found {value!r} ({error}); write a single % as %%") from None

    def _whole(self, name: str, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise self._error(name, f"found {text!r}; allowed: a whole number") from None

    def _boolean(self, name: str, default: str) -> bool:
        text = self._get(name, default).lower()
        if text not in _TRUE | _FALSE:
            raise self._error(name, f"found {text!r}; allowed: true or false")
        return text in _TRUE

    def _error(self, name: str, reason: str) -> ConfUnreadable:
        return ConfUnreadable(f"[{self._section}] {name}: {reason}")


def _consume(command: str) -> tuple[list[str], bool] | None:
    """The arguments of `messenger consume`, and whether a shell stays in between; None: another command."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words and Path(words[0]).name in _SHELLS and len(words) > 2 and "-c" in words[1]:
        inner = _consume(words[2])
        return inner and (inner[0], not words[2].lstrip().startswith("exec "))
    messenger = next((n for n, word in enumerate(words) if Path(word).name in ("messenger", "messenger.cli")), None)
    if messenger is None or "consume" not in words[messenger:]:
        return None
    return words[words.index("consume", messenger) + 1 :], False
