"""The command `messenger`. Each subcommand is a file here and is imported only when it is called.

Exit codes: 0 done · 1 failed · 64 wrong usage · 78 the configuration or the application cannot be loaded.
"""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Mapping
from typing import Any

import click

from messenger.cli.terminal import say
from messenger.errors import ConfigError, MessengerError
from messenger.printable import LONGEST_LINE, printable_line

EXIT_FAILED = 1
EXIT_USAGE = 64
EXIT_CONFIG = 78


class LazyGroup(click.Group):
    """A command group whose commands are imported when they are called, so that `consume` starts fast.

    Attributes:
        commands_from: "module:attribute" by command name.
    """

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


@click.group(
    cls=LazyGroup,
    commands_from={
        "check": "messenger.cli.check:check",
        "completion": "messenger.cli.completion:completion",
        "consume": "messenger.cli.consume:consume",
        "debug": "messenger.cli.debug:debug",
        "dispatch": "messenger.cli.dispatch:dispatch",
        "failed": "messenger.cli.failed:failed",
        "pause": "messenger.cli.pause:pause",
        "repair": "messenger.cli.repair:repair",
        "resume": "messenger.cli.pause:resume",
        "setup-transports": "messenger.cli.setup_transports:setup_transports",
        "stats": "messenger.cli.stats:stats",
        "stop-workers": "messenger.cli.stop_workers:stop_workers",
        "workers": "messenger.cli.workers:workers",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="messenger-kit", prog_name="messenger")
@click.option(
    "-c",
    "--config",
    envvar="MESSENGER_CONFIG",
    metavar="FILE",
    help="The messenger.yaml to use. Default: $MESSENGER_CONFIG, ./messenger.yaml, ./config/packages/messenger.yaml.",
)
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Queued message handling in the manner of Symfony Messenger.

    Exit codes: 0 done, 1 failed, 64 wrong usage, 78 the configuration or the application cannot be loaded.
    """
    context.obj = config


def main(arguments: list[str] | None = None) -> None:
    """Run `messenger` and exit with its code; mistakes become one line on stderr."""
    sys.path.insert(0, os.getcwd())  # an application that is not installed lies here
    try:
        code = cli.main(args=arguments, prog_name="messenger", standalone_mode=False)
    except click.UsageError as error:
        if error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n", err=True)
        say(f"Error: {printable_line(error.format_message())}", err=True)
        code = EXIT_USAGE
    except click.Abort:
        code = EXIT_FAILED
    except click.ClickException as error:
        say(f"Error: {printable_line(error.format_message())}", err=True)
        code = EXIT_FAILED
    except MessengerError as error:
        say(f"messenger: {printable_line(error, LONGEST_LINE - 100)}", err=True)
        code = EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED
    sys.exit(code if isinstance(code, int) else 0)
