"""Which failed messages an operator means: the failure transport, IDs or all, and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

import click
from click.shell_completion import CompletionItem
from msgspec import UnsetType

from messenger.application import Application
from messenger.cli import complete
from messenger.cli.common import MomentType
from messenger.cli.failed.describe import summary
from messenger.cli.terminal import choose, is_asked, say
from messenger.errors import ConfigError
from messenger.failure.store import FailedMessages, Selection
from messenger.messages import dotted_name, message_options, wire_name
from messenger.printable import printable

_MOST_IDS = 200
Command = Callable[..., Any]
Filters = tuple[str | None, datetime | None, datetime | None]

transport_option = click.option(
    "--transport",
    metavar="NAME",
    shell_complete=complete.failure_transports,
    help="Which failure transport. Default: the global one.",
)


def _find_ids(context: click.Context) -> Iterable[CompletionItem]:
    application = complete.bare_application(context)
    name = context.params.get("transport") or _default_store(application)
    if name not in application.failure_transport_names:
        return []
    there = complete.given(context, "ids")
    described = map(summary, FailedMessages(application, name).all(_MOST_IDS))
    return [
        CompletionItem(each["id"], help=printable(f"{each['type']} {each['error']}", 80))
        for each in described
        if each["id"] not in there
    ]


failed_ids = complete.completer(_find_ids)


def selection_options(command: Command) -> Command:
    """--class-filter, --since and --until; the command gets `filters`, to be given to `selection`."""

    @click.option("--class-filter", metavar="NAME", help="Only this message: wire name or Python class.")
    @click.option("--since", type=MomentType(), help="Only what failed since then: 2h, 7d, 2026-11-24T08:00.")
    @click.option("--until", type=MomentType(), help="Only what failed until then.")
    @wraps(command)
    def with_filters(
        *args: Any, class_filter: str | None, since: datetime | None, until: datetime | None, **options: Any
    ) -> Any:
        return command(*args, filters=(class_filter, since, until), **options)

    return with_filters


@dataclass(frozen=True, slots=True)
class Wanted:
    """The messages that a command is to act on."""

    ids: tuple[str, ...]
    everything: bool
    filters: Filters
    transport: str | None

    def check(self) -> None:
        """Check that there are either IDs or --all.

        Raises:
            UsageError: There are both or neither.
        """
        if bool(self.ids) == self.everything:
            raise click.UsageError("give the IDs that `messenger failed show` lists, or --all")

    def find(self, application: Application) -> tuple[FailedMessages, list[str]]:
        """The failure transport, and the IDs given, each once, or those of all that the filters leave now."""
        meant = selection(application, self.filters, self.ids)
        store = open_store(application, self.transport)
        return store, list(dict.fromkeys(self.ids)) or [envelope.id or "" for envelope in store.select(meant)]


def wanted_options(command: Command) -> Command:
    """[ID]..., --all, the filters and --transport; the command gets them as `wanted`."""

    @click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=failed_ids)
    @click.option("--all", "everything", is_flag=True, help="All of them, or all that the filters leave.")
    @selection_options
    @transport_option
    @wraps(command)
    def with_wanted(
        *args: Any, ids: tuple[str, ...], everything: bool, filters: Filters, transport: str | None, **options: Any
    ) -> Any:
        return command(*args, wanted=Wanted(ids, everything, filters, transport), **options)

    return with_wanted


def selection(application: Application, filters: Filters, ids: Sequence[str]) -> Selection:
    """What the filters mean. UsageError when there are IDs as well."""
    class_filter, since, until = filters
    if ids and any(part is not None for part in filters):
        raise click.UsageError("give IDs, or --class-filter, --since and --until, not both")
    return Selection(None if class_filter is None else _types(application, class_filter), since, until)


def _types(application: Application, name: str) -> frozenset[str]:
    """The wire names a message class is and was known by; a name this release does not know stands for itself."""
    found = [
        cls
        for cls in application.messages.classes
        if name in (wire_name(cls), dotted_name(cls), cls.__name__, *message_options(cls).aliases)
    ]
    if len(found) > 1:
        raise click.UsageError(f"{name!r} is more than one message: {', '.join(map(wire_name, found))}")
    return frozenset((name, *(n for cls in found for n in (wire_name(cls), *message_options(cls).aliases))))


def open_store(application: Application, name: str | None) -> FailedMessages:
    """The failure transport of --transport, else the global one, else the one that is chosen at the terminal."""
    names = application.failure_transport_names
    if name is not None and name not in names:
        raise click.UsageError(f"{name!r} is no failure transport; allowed: {', '.join(names) or 'none'}")
    if not names:
        raise ConfigError("no failure transport: messenger.yaml says 'failure_transport: null'")
    return FailedMessages(application, name or _of_several(application, names))


def _of_several(application: Application, names: Sequence[str]) -> str:
    default = _default_store(application)
    if len(names) > 1 and is_asked():
        return choose("Which failure transport?", names, default)
    if default is None:
        raise click.UsageError(f"which failure transport? Allowed for --transport: {', '.join(names)}")
    if len(names) > 1:
        others = ", ".join(repr(name) for name in names if name != default)
        say(f"using the default failure transport {default!r}; others, for --transport: {others}", err=True)
    return default


def _default_store(application: Application) -> str | None:
    """Return the failure transport that is meant when none is named: the only one, or the global one."""
    names = application.failure_transport_names
    configured = application.config.failure_transport
    default = "failed" if isinstance(configured, UnsetType) else configured
    return names[0] if len(names) == 1 else default if default in names else None
