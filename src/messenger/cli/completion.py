"""messenger completion: the script that makes a shell complete `messenger`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_MESSENGER_COMPLETE"


@click.command(short_help="Print the script for TAB in bash, zsh or fish.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes the SHELL complete commands, options, transports and ids of failed messages.

    \b
        messenger completion bash > /etc/bash_completion.d/messenger
        messenger completion zsh > "${fpath[1]}/_messenger"
        messenger completion fish > ~/.config/fish/completions/messenger.fish

    Exit codes: 0; 64 wrong usage.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "messenger", VARIABLE).source())
