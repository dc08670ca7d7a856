"""A command group whose commands are imported when they are called, so that `consume` starts fast."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """commands_from: command name -> "module:attribute"."""

    def __init__(self, *args: Any, commands_from: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._commands_from = commands_from

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(self._commands_from)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        target = self._commands_from.get(cmd_name)
        command = pkgutil.resolve_name(target) if target is not None else None
        return command if isinstance(command, click.Command) else None
