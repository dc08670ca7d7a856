"""What the shell offers after TAB: transports, failure transports, ids of failed messages.

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
_MOST_IDS = 200
Find = Callable[[click.Context], Iterable[CompletionItem]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completer(find: Find) -> Completer:
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


def _bare_application(context: click.Context) -> Application:
    """The transports of messenger.yaml, without handlers, setup, buses and routes."""
    from messenger.application import Application
    from messenger.cli.common import config_path
    from messenger.config import LoadedConfig, load_config
    from messenger.config.model import MessengerConfig

    loaded = load_config(config_path(context.find_root().params.get("config")), os.environ)
    whole = loaded.messenger
    bare = MessengerConfig(
        transports=whole.transports, failure_transport=whole.failure_transport, connections=whole.connections
    )
    return Application(LoadedConfig(loaded.path, bare, loaded.environment))


def _transports(context: click.Context) -> Iterable[CompletionItem]:
    given = _given(context, "transports", "names")
    return [CompletionItem(name) for name in _bare_application(context).transport_names if name not in given]


def _failure_transports(context: click.Context) -> Iterable[CompletionItem]:
    return [CompletionItem(name) for name in _bare_application(context).failure_transport_names]


def _failed_ids(context: click.Context) -> Iterable[CompletionItem]:
    from messenger.cli.failed.describe import summary
    from messenger.failed_messages import FailedMessages, default_failure_transport
    from messenger.printable import printable

    application = _bare_application(context)
    name = context.params.get("transport") or default_failure_transport(application)
    if name not in application.failure_transport_names:
        return []
    given = _given(context, "ids")
    described = map(summary, FailedMessages(application, name).all(_MOST_IDS))
    return [
        CompletionItem(each["id"], help=printable(f"{each['type']} {each['error']}", 80))
        for each in described
        if each["id"] not in given
    ]


def _given(context: click.Context, *names: str) -> tuple[str, ...]:
    """What is on the command line already, so that it is not offered again."""
    return tuple(value for name in names for value in context.params.get(name) or ())


transports = _completer(_transports)
failure_transports = _completer(_failure_transports)
failed_ids = _completer(_failed_ids)
