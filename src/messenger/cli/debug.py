"""messenger debug: who handles what, what goes where."""

from __future__ import annotations

import inspect
from typing import Any

import click

from messenger.application import Application
from messenger.cli.common import format_option, load, print_json, print_table
from messenger.cli.terminal import say
from messenger.handling.registry import ANY_MESSAGE, Handler
from messenger.messages import dotted_name, wire_name


@click.command(short_help="Who handles what, what goes where.")
@click.argument("bus", required=False, metavar="[BUS]")
@format_option
@click.pass_context
def debug(context: click.Context, bus: str | None, output: str) -> None:
    """Show which handlers take which messages and which transports messages go to; with BUS, the handlers of that bus.

    Loads the whole application and connects to nothing: exit code 78 and one line tell what is wrong with it.

    Exit codes: 0; 64 wrong usage; 78 the configuration or the application cannot be loaded.

    \b
        messenger debug
        messenger debug messenger.bus.default --format json
    """
    application = load(context)
    if bus is not None and bus not in application.buses:
        raise click.UsageError(f"no bus is called {bus!r}; allowed: {', '.join(application.buses)}")
    for name in application.transport_names:
        application.transport(name)  # a DSN or option that cannot be used is found here
    handlers = [item for item in application.handlers.handlers if bus is None or item.options.bus in (None, bus)]
    document = _describe(application, handlers)
    if output == "json":
        print_json(document)
    else:
        _print(application, document)


def _print(application: Application, document: dict[str, Any]) -> None:
    for note in application.notes:
        say(f"note: {note}")
    when = f" with {application.loaded.when}" if application.loaded.when else ""
    say(f"{application.loaded.path}{when} (release {application.release})")
    say()
    print_table(
        ("MESSAGE", "CLASS", "GOES TO", "HANDLERS"),
        [
            (m["name"], m["class"], _goes_to(m, document["outboxes"]), ", ".join(m["handlers"]) or "none")
            for m in document["messages"]
        ],
    )
    say()
    print_table(
        ("HANDLER", "ONLY", "ABOUT"),
        [(name, _conditions(about), about["about"] or "-") for name, about in document["handlers"].items()],
    )
    say()
    print_table(
        ("TRANSPORT", "FAILED MESSAGES GO TO"),
        [(name, target or "discarded") for name, target in document["failure_transports"].items()],
    )


def _goes_to(message: dict[str, Any], outboxes: dict[str, str]) -> str:
    names = [name + (f" (by {outboxes[name]})" if name in outboxes else "") for name in message["transports"]]
    return ", ".join(names) or "handled at once"


def _describe(application: Application, handlers: list[Handler]) -> dict[str, Any]:
    messages = [
        {
            "name": wire_name(cls),
            "class": dotted_name(cls),
            "transports": list(application.router.for_class(cls)),
            "handlers": [item.name for item in handlers if _takes(item, cls)],
        }
        for cls in sorted(application.messages.classes, key=wire_name)
    ]
    return {
        "config": str(application.loaded.path),
        "release": application.release,
        "buses": list(application.buses),
        "messages": messages,
        "handlers": {item.name: _about(item) for item in handlers},
        "transports": list(application.transport_names),
        "failure_transports": application.failure_transports,
        "outboxes": {name: config.outbox for name, config in application.config.transports.items() if config.outbox},
        "notes": application.notes,
    }


def _about(item: Handler) -> dict[str, Any]:
    """When it is called at all, and the first line of its docstring."""
    text = inspect.getdoc(item.call) or ""
    return {
        "bus": item.options.bus,
        "from_transport": item.options.from_transport,
        "priority": item.options.priority,
        "about": text.partition("\n")[0] or None,
    }


def _conditions(about: dict[str, Any]) -> str:
    """The same for people."""
    found = [f"on bus {about['bus']}"] if about["bus"] is not None else []
    found += [f"from {about['from_transport']}"] if about["from_transport"] is not None else []
    return ", ".join(found) or "-"


def _takes(item: Handler, cls: type) -> bool:
    return any(handled == ANY_MESSAGE or handled in cls.__mro__ for handled in item.options.handles)
