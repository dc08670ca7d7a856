#!/usr/bin/python
"""Ansible module: copies the SQLite stores of an application, or puts others into their place."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import pwd
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils import stores as messenger_stores
from ansible_collections.messenger.kit.plugins.module_utils.text import printable
from ansible_collections.messenger.kit.plugins.module_utils.user import Outsider, Refused

DOCUMENTATION = r"""
module: sqlite_stores
short_description: Copies or replaces the SQLite stores of an application
description:
  - The stores lie in C(shared/var), where the application's user may write. So a process of that user reads and writes
    them there, without links or special files and within ten minutes in all; root takes what it prints.
options:
  python: {description: The Python that works as this user., type: path, default: /usr/bin/python3}
  copies:
    description: A directory for copies; every store is copied to C(NAME) in it.
    type: path
  owner: {description: Whom the copies belong to; nobody else may read them., type: str, default: root}
  megabytes: {description: How many all copies may have in all., type: int, default: 2048}
  replace: {description: Names of stores to put into place., type: list, elements: str, default: []}
  source: {description: The directory with the files of these names., type: path}
  aside: {description: A directory in C(shared/var) for the stores that were there., type: str, default: before}
extends_documentation_fragment: [messenger.kit.application, messenger.kit.application.user]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Copy the stores
  messenger.kit.sqlite_stores:
    root: /srv/sms
    user: sms
    copies: /root/backup
    megabytes: 1000
"""

RETURN = r"""
copied: {description: "C(store) and C(sha256) of each copy.", returned: with C(copies), type: list}
odd: {description: Stores that are not copied for their names or their headers., returned: with C(copies), type: list}
"""

SECONDS = 600
LONGEST_HEAD = 1000
SHA256 = re.compile(r"[0-9a-f]{64}")


def wanted(given: dict[str, Any]) -> dict[str, int]:
    """The stores that the user names, with their sizes."""
    stores = given.get("stores")
    if not isinstance(stores, dict) or len(stores) > messenger_stores.MOST_STORES:
        raise Refused("the stores cannot be listed")
    for name, size in stores.items():
        if not messenger_stores.NAME.fullmatch(name) or type(size) is not int or size < 0:
            raise Refused("the stores cannot be listed")
    return stores


def save(pieces: Iterable[bytes], store: str, path: Path, owner: pwd.struct_passwd) -> tuple[str, int]:
    """Write what comes after the first line, which says size and sha256, to PATH. Both of them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    digest, written, head = hashlib.sha256(), 0, b""
    said: dict[str, Any] = {}
    with open(descriptor, "wb") as file:
        os.fchown(descriptor, owner.pw_uid, owner.pw_gid)
        for piece in pieces:
            data = piece
            if not said:
                head, end, data = (head + piece).partition(b"\n")
                if len(head) > LONGEST_HEAD:
                    raise Refused(f"{store} gave no answer")
                said = head_of(head, store) if end else {}
            digest.update(data)
            written += file.write(data)
    if not said or said.get("size") != written or said.get("sha256") != digest.hexdigest():
        raise Refused(f"{store} was not copied to its end")
    return digest.hexdigest(), written


def head_of(line: bytes, store: str) -> dict[str, Any]:
    """What the first line of a copy says."""
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Refused(f"{store} gave no answer")
    if "problem" in said:
        raise Refused(str(said["problem"]))
    return said


def copy_all(asked: dict[str, Any], outsider: Outsider, var: str) -> dict[str, Any]:
    """Copy every store; what was copied."""
    script, left = inspect.getsource(messenger_stores), asked["megabytes"] * 2**20
    deadline = time.monotonic() + SECONDS
    given = outsider.ask(script, "list", var)
    stores, copied = wanted(given), []
    if sum(stores.values()) > left:
        raise Refused(
            f"the SQLite stores in {var} have {sum(stores.values()) // 2**20} MB, and {asked['megabytes']} MB are"
            f" allowed (messenger_app_backup_megabytes); the largest is {max(stores, key=lambda name: stores[name])}"
        )
    for name in sorted(stores):
        words = ("copy", var, name, str(left))
        seconds = max(1, round(deadline - time.monotonic()))
        pieces = outsider.stream(script, *words, seconds=seconds, most=left + LONGEST_HEAD)
        sha256, size = save(pieces, name, Path(asked["copies"], name), pwd.getpwnam(asked["owner"]))
        left -= size
        copied.append({"store": name, "sha256": sha256})
    odd = given.get("odd")
    return {"copied": copied, "odd": [printable(name, 100) for name in odd] if isinstance(odd, list) else []}


def replace_all(asked: dict[str, Any], outsider: Outsider, var: str) -> None:
    """Put files into the place of the stores of their names."""
    script, deadline = inspect.getsource(messenger_stores), time.monotonic() + SECONDS
    for name in asked["replace"]:
        with Path(asked["source"], name).open("rb") as file:
            wanted_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            words = ("replace", var, name, asked["aside"])
            seconds = max(1, round(deadline - time.monotonic()))
            given = outsider.ask(script, *words, seconds=seconds, stdin=file.fileno())
        if given.get("sha256") != wanted_sha256:
            raise Refused(f"{name} was not written as it is in the backup")


def main() -> None:
    """Copy or replace."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "copies": {"type": "path"},
            "owner": {"type": "str", "default": "root"},
            "megabytes": {"type": "int", "default": 2048},
            "replace": {"type": "list", "elements": "str", "default": []},
            "source": {"type": "path"},
            "aside": {"type": "str", "default": "before"},
        },
        supports_check_mode=True,
    )
    asked = module.params
    outsider = Outsider.named(asked["user"], asked["python"])
    var = str(Path(asked["root"], "shared/var"))
    if module.check_mode or outsider is None or not os.path.isdir(var):
        module.exit_json(changed=bool(asked["replace"]), copied=[], odd=[])
    try:
        if asked["copies"]:
            module.exit_json(changed=False, **copy_all(asked, outsider, var))
        replace_all(asked, outsider, var)
    except (Refused, OSError, KeyError) as error:
        module.fail_json(msg=printable(error))
    module.exit_json(changed=bool(asked["replace"]))


if __name__ == "__main__":
    main()
