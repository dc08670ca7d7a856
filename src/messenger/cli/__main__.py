"""The command `python -m messenger.cli`."""

from messenger.cli import main

main()
