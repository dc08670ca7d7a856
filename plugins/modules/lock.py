#!/usr/bin/python
"""Ansible module: a lock with an owner, a reason and an end, for one run at a time over a whole fleet."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.text import printable

DOCUMENTATION = r"""
module: lock
short_description: A lock for one run at a time over a whole fleet
description:
  - A file on one host that all runs ask. It says who holds the lock, since when, what for and until when at the latest,
    by the clock of that host.
  - Never reports a change for taking and giving back a lock, because nothing of it stays. Check mode only looks.
options:
  path: {description: The file., type: path, required: true}
  state:
    description:
      - C(taken) takes the lock, or fails and says who holds it. With the C(token) of an earlier answer it extends
        the lock, and fails when the lock is lost.
      - C(given_back) releases the lock with this C(token), C(free) releases that of any run. C(look) changes nothing.
    type: str
    choices: [taken, given_back, free, look]
    default: look
  owner: {description: "Who takes it, as user@controller.", type: str, default: ""}
  what: {description: "What for, e.g. C(deploy).", type: str, default: ""}
  reason: {description: The operator's words., type: str, default: ""}
  ttl: {description: Seconds until it ends by itself., type: int, default: 3600}
  token: {description: What an earlier C(taken) answered., type: str, default: ""}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Take the lock of the fleet
  messenger.kit.lock:
    path: /var/lib/messenger-kit/sms.lock
    state: taken
    owner: anna@controller
    what: deploy
  register: lock

- name: Release it
  messenger.kit.lock:
    path: /var/lib/messenger-kit/sms.lock
    state: given_back
    token: "{{ lock.token }}"
"""

RETURN = r"""
token: {description: Stands for the lock that was taken., returned: always, type: str}
held: {description: "Who holds the lock and why, in a sentence; empty when nobody did.", returned: always, type: str}
"""


class Refused(Exception):
    """The lock cannot be had; the words are for the operator."""


def when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def sentence(lock: dict[str, Any]) -> str:
    """Who holds LOCK, since when, why, and until when."""
    why = f", because: {lock['reason']}" if lock["reason"] else ""
    return printable(
        f"{lock['owner']} holds it since {when(lock['since'])} for {lock['what']}{why}, until {when(lock['until'])}"
    )


def read(file: Path) -> dict[str, Any] | None:
    """What is in FILE, also when its time is over."""
    try:
        lock: dict[str, Any] = json.loads(file.read_text())
        sentence(lock)
        return {"token": "", **lock}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        said = f"The lock of the fleet, {file}, cannot be read; ansible-playbook unlock.yml deletes it."
        raise Refused(said) from None


def holder(file: Path) -> dict[str, Any] | None:
    """The lock in FILE while its time lasts."""
    lock = read(file)
    return lock if lock and lock["until"] > time.time() else None


def write(file: Path, lock: dict[str, Any]) -> None:
    """Put LOCK into FILE, whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(json.dumps(lock) + "\n")
    new.chmod(0o644)
    new.replace(file)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Nobody else looks at or changes a lock in DIRECTORY meanwhile. The kernel ends this with the process."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def take(file: Path, owner: str, what: str, reason: str, ttl: int) -> str:
    """Take the lock and return its token."""
    with alone(file.parent):
        lock = holder(file)
        if lock and lock["owner"] == owner:
            raise Refused(
                f"Nothing was changed, the lock of the fleet is taken: {sentence(lock)}. That is you, on this"
                " controller: a run of yours still goes on, or was cut off. If none goes on: ansible-playbook"
                " unlock.yml, then this again."
            )
        if lock:
            raise Refused(
                f"Nothing was changed, the lock of the fleet is taken: {sentence(lock)} at the latest. Wait until that"
                f" run is over. If it was cut off: ansible-playbook unlock.yml frees the lock."
            )
        now = time.time()
        token = secrets.token_hex(8)
        new = {"owner": owner, "what": what, "reason": reason, "since": now, "until": now + ttl, "token": token}
        write(file, new)
        return token


def renew(file: Path, token: str, ttl: int) -> None:
    """Extend the lock of TOKEN. A lock that has expired can be extended unless another run took it."""
    with alone(file.parent):
        lock = read(file)
        if not lock or lock["token"] != token:
            now = f"Now {sentence(lock)}" if lock else "Nobody holds it now"
            raise Refused(f"This run lost the lock of the fleet: unlock.yml freed it, or its time was over. {now}.")
        write(file, {**lock, "until": time.time() + ttl})


def give_back(file: Path, token: str) -> None:
    """Release the lock if TOKEN is its token."""
    if token and file.exists():
        with alone(file.parent):
            lock = read(file)
            if lock and lock["token"] == token:
                file.unlink()


def free(file: Path) -> str:
    """Release the lock of any run, and return a sentence about its holder."""
    if not file.exists():
        return ""
    with alone(file.parent):
        try:
            lock = holder(file)
            held = sentence(lock) if lock else ""
        except Refused as refused:
            held = str(refused)
        file.unlink(missing_ok=True)
        return held


def main() -> None:
    """Do what is asked, and report."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["taken", "given_back", "free", "look"], "default": "look"},
            "owner": {"type": "str", "default": ""},
            "what": {"type": "str", "default": ""},
            "reason": {"type": "str", "default": ""},
            "ttl": {"type": "int", "default": 3600},
            "token": {"type": "str", "default": "", "no_log": False},
        },
        supports_check_mode=True,
    )
    asked = module.params
    file = Path(asked["path"])
    token = asked["token"]
    held = ""
    try:
        if module.check_mode or asked["state"] == "look":
            lock = holder(file)
            held = sentence(lock) if lock else ""
        elif asked["state"] == "taken" and token:
            renew(file, token, asked["ttl"])
        elif asked["state"] == "taken":
            token = take(file, asked["owner"], asked["what"], " ".join(asked["reason"].split()), asked["ttl"])
        elif asked["state"] == "given_back":
            give_back(file, token)
        else:
            held = free(file)
    except Refused as refused:
        module.fail_json(msg=str(refused))
    except OSError as error:
        module.fail_json(msg=f"The lock of the fleet, {file}, cannot be used: {error}")
    module.exit_json(changed=asked["state"] == "free" and bool(held), token=token, held=held)


if __name__ == "__main__":
    main()
