"""What the shell offers after TAB: transports and failure transports; other commands add what is theirs.

The application's own code is not imported for that, and nothing goes wrong visibly: no answer in time is no offer.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from messenger.application import Application

_SECONDS = 2.0
Find = Callable[[click.Context], Iterable[CompletionItem]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def completer(find: Find) -> Completer:
    """What `find` gives within the time and what begins like the incomplete word; nothing when it fails."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found: list[CompletionItem] = []
        logging.disable()

        def work() -> None:
            try:
                found.extend(find(context))
            except Exception:
                found.clear()

        # A thread, because a server that does not answer may hold a call for much longer; it ends with the process.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(_SECONDS)
        return [item for item in list(found) if item.value.startswith(incomplete)]

    return complete


def bare_application(context: click.Context) -> Application:
    """The transports of messenger.yaml, without handlers, setup, buses and routes."""
    from messenger.application import Application
    from messenger.cli.common import config_path
    from messenger.config.loader import LoadedConfig, load_config
    from messenger.config.model import MessengerConfig

    loaded = load_config(config_path(context.find_root().params.get("config")), os.environ)
    whole = loaded.messenger
    bare = MessengerConfig(
        transports=whole.transports, failure_transport=whole.failure_transport, connections=whole.connections
    )
    return Application(LoadedConfig(loaded.path, bare, loaded.environment))


def _transports(context: click.Context) -> Iterable[CompletionItem]:
    names_given = given(context, "transports", "names")
    return [CompletionItem(name) for name in bare_application(context).transport_names if name not in names_given]


def _failure_transports(context: click.Context) -> Iterable[CompletionItem]:
    return [CompletionItem(name) for name in bare_application(context).failure_transport_names]


def given(context: click.Context, *names: str) -> tuple[str, ...]:
    """What is on the command line already, so that it is not offered again."""
    return tuple(value for name in names for value in context.params.get(name) or ())


transports = completer(_transports)
failure_transports = completer(_failure_transports)
