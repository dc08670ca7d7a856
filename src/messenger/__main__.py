"""`python -m messenger` is the command `messenger`."""

from messenger.cli import main

if __name__ == "__main__":
    main()
