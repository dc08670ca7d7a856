"""messenger debug: who handles what, what goes where."""

from __future__ import annotations

from typing import Any

import click

from messenger.application import Application
from messenger.cli.common import format_option, load, print_json, print_table
from messenger.handlers import ANY_MESSAGE, Handler
from messenger.messages import dotted_name, wire_name


@click.command(short_help="Who handles what, what goes where.")
@format_option
@click.pass_context
def debug(context: click.Context, output: str) -> None:
    """Show which handlers take which messages and which transports messages go to.

    Loads the whole application and connects to nothing: exit code 78 and one line tell what is wrong with it.
    """
    application = load(context)
    for name in application.transport_names:
        application.transport(name)  # a DSN or option that cannot be used is found here
    document = _describe(application)
    if output == "json":
        print_json(document)
        return
    for note in application.notes:
        click.echo(f"note: {note}")
    click.echo(f"{application.loaded.path} (release {application.release})\n")
    print_table(
        ("MESSAGE", "CLASS", "GOES TO", "HANDLERS"),
        [
            (m["name"], m["class"], ", ".join(m["transports"]) or "handled at once", ", ".join(m["handlers"]) or "none")
            for m in document["messages"]
        ],
    )
    click.echo()
    print_table(
        ("TRANSPORT", "FAILED MESSAGES GO TO"),
        [(name, target or "discarded") for name, target in document["failure_transports"].items()],
    )


def _describe(application: Application) -> dict[str, Any]:
    messages = [
        {
            "name": wire_name(cls),
            "class": dotted_name(cls),
            "transports": list(application.router.for_class(cls)),
            "handlers": [item.name for item in application.handlers.handlers if _takes(item, cls)],
        }
        for cls in sorted(application.messages.classes, key=wire_name)
    ]
    return {
        "config": str(application.loaded.path),
        "release": application.release,
        "messages": messages,
        "transports": list(application.transport_names),
        "failure_transports": application.failure_transports,
        "notes": application.notes,
    }


def _takes(item: Handler, cls: type) -> bool:
    return any(handled == ANY_MESSAGE or handled in cls.__mro__ for handled in item.options.handles)
