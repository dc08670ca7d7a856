#!/usr/bin/python
"""Ansible module: notes that a release came up and stayed up, and keeps what it runs with, to go back to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.audit import add
from ansible_collections.messenger.kit.plugins.module_utils.releases import marked, set_mark

DOCUMENTATION = r"""
module: record_release
short_description: Notes that a release came up, and keeps what it runs with
description:
  - Copies each of C(files) to C(FILE.good) where the two differ, marks the release as good, takes back that it was bad,
    and removes C(restart_note), in this order, so that a run that is cut off is made good by the next one.
  - What the audit trail cannot take is a warning, as in M(messenger.kit.audit_trail).
options:
  release: {description: The release's directory., type: path, required: true}
  files: {description: "What it runs with: C(path), C(mode) and C(group) of each copy.", type: list, elements: dict,
          required: true}
  restart_note: {description: Its presence says that workers must restart., type: path, required: true}
  audit: {description: "An event for the audit trail, and the C(path) of that; or none.", type: dict, default: {}}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Record the release that passed the gate
  messenger.kit.record_release:
    release: /srv/sms/releases/20260101T120000Z-0a1b2c3d
    files:
      - {path: /srv/sms/shared/config/messenger.env, mode: "0640", group: sms}
    restart_note: /srv/sms/shared/config/.restart
"""

RETURN = r"""
done: {description: "What was changed, in words.", returned: success, type: list}
"""


def same(file: Path, kept: Path) -> bool:
    return kept.exists() and kept.read_bytes() == file.read_bytes()


def keep(file: Path, mode: int, group: int | str) -> bool:
    """Copy FILE to FILE.good, whole or not at all. Whether that was needed."""
    kept = file.with_name(f"{file.name}.good")
    if same(file, kept):
        return False
    new = kept.with_name(f".{kept.name}.new")
    new.unlink(missing_ok=True)
    # Never readable by more people than the file itself, not even while it is written.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(file.read_bytes())
    shutil.chown(new, "root", group)
    new.chmod(mode)
    new.replace(kept)
    return True


def settle(asked: dict[str, Any]) -> list[str]:
    """Everything that C(description) says but the audit trail."""
    release, note = Path(asked["release"]), Path(asked["restart_note"])
    done = []
    for file in asked["files"]:
        group = str(file["group"])
        if keep(Path(file["path"]), int(file["mode"], 8), int(group) if group.isdigit() else group):
            done.append(f"kept {file['path']}")
    if not marked(release, "good"):
        set_mark(release, "good", release.name)
        done.append("marked as good")
    for file, words in ((release / ".bad", "no longer bad"), (note, "restarted")):
        if file.exists():
            file.unlink()
            done.append(words)
    return done


def main() -> None:
    """Do it, and say what was done."""
    module = AnsibleModule(
        argument_spec={
            "release": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True},
            "restart_note": {"type": "path", "required": True},
            "audit": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    asked = module.params
    if module.check_mode:  # whether the release would come up is not known
        module.exit_json(changed=False, done=[])
    try:
        done = settle(asked)
    except (OSError, LookupError) as error:
        module.fail_json(msg=f"What came up cannot be kept: {error}")
    if asked["audit"]:
        try:
            add(Path(asked["audit"]["path"]), asked["audit"])
        except OSError as error:
            module.warn(f"the audit trail {asked['audit']['path']} cannot be used: {error}")
    module.exit_json(changed=bool(done or asked["audit"]), done=done)


if __name__ == "__main__":
    main()
