"""Print which git revision a directory holds, with -dirty when files in it differ; nothing when it is no checkout.

usage: revision.py DIRECTORY
"""

from __future__ import annotations

import subprocess
import sys


def git(directory: str, *words: str) -> str | None:
    """What git says, or None when it cannot say anything."""
    try:
        asked = subprocess.run(["git", "-C", directory, *words], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def revision(directory: str) -> str:
    """The commit that DIRECTORY was taken from. Only what lies in it can make it dirty, not the rest of a checkout."""
    commit = git(directory, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return ""
    return commit if git(directory, "status", "--porcelain", "--", ".") == "" else f"{commit}-dirty"


if __name__ == "__main__":
    print(revision(sys.argv[1]))
