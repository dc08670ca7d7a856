"""Filters that say what lies where on a host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

STATE_DIR = "/var/lib/messenger-kit"


def application_directories(root: str, user: str, group: str, writable_paths: Sequence[str]) -> list[dict[str, str]]:
    """Return `path`, `mode`, `group` and `owner` of every directory of an application.

    Only shared/var and `writable_paths` belong to the application's user. Nothing of root's may be below them: a user
    who may write to a directory may put a link into the place of anything in it.

    Args:
        root: The application's directory.
        user: The application's user.
        group: The id of its group.
        writable_paths: Directories outside of `root` that the application may write to.
    """
    roots = ["bin", "releases", "environments", "shared", "shared/config", "shared/log"]
    rows = [
        (STATE_DIR, "0755", "0", "root"),
        (root, "0751", group, "root"),  # the user who unpacks packages passes through it
        *((f"{root}/{name}", "0750", group, "root") for name in roots),
        *((path, "0750", group, user) for path in [f"{root}/shared/var", *writable_paths]),
    ]
    return [{"path": path, "mode": mode, "group": group, "owner": owner} for path, mode, group, owner in rows]


def backup_entries(copied: Iterable[Mapping[str, Any]], host: str) -> list[dict[str, str]]:
    """Return what backup.json says of the SQLite stores of a host.

    Args:
        copied: `copied` of the module messenger.kit.sqlite_stores.
        host: The host's name in the inventory.
    """
    return [
        {"file": f"{host}-{each['store']}", "host": host, "store": each["store"], "sha256": each["sha256"]}
        for each in copied
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of the filters."""
        return {"application_directories": application_directories, "backup_entries": backup_entries}
