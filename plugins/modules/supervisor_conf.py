#!/usr/bin/python
"""Ansible module: put the Supervisor configuration of the workers into place if Supervisor's own parser takes it."""

from __future__ import annotations

import inspect
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils import supervisor_parser
from ansible_collections.messenger.kit.plugins.module_utils.text import last_line

DOCUMENTATION = r"""
module: supervisor_conf
short_description: Put a Supervisor configuration into place if Supervisor's own parser takes it
description:
  - Loads C(content) with Supervisor's parser as the running supervisord would read it, and checks that it defines
    exactly C(groups) and that no other file defines one of them. Only then it writes C(dest), for root alone to change
    and for every user to read.
  - supervisord is not told of it; M(supervisor_programs) does that.
options:
  dest: {description: Where the configuration goes., type: path, required: true}
  content:
    description: The configuration. Left out, the file that is there is only checked, and nothing is written.
    type: str
  link:
    description: Where supervisord includes it. A file there that is C(dest) by another name does not count as another.
    type: path
    required: true
  linked:
    description:
      - Make C(link) a link to C(dest). Link into a directory that stays, never into a release - when the link dangles,
        C(supervisorctl update) removes the group without a word.
    type: bool
    default: false
  groups:
    description: Supervisor's groups that it must define.
    type: list
    elements: str
    required: true
  python: {description: A Python that has Supervisor's package., type: path, default: /usr/bin/python3}
  config:
    description: The main configuration of supervisord.
    type: path
    default: /etc/supervisor/supervisord.conf
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Template the Supervisor configuration
  messenger.kit.supervisor_conf:
    dest: /srv/sms/shared/config/messenger-worker.conf
    content: "{{ lookup('ansible.builtin.template', 'messenger-worker.conf.j2') }}"
    link: /etc/supervisor/conf.d/messenger-worker.conf
    linked: true
    groups: [messenger-consume]
"""

RETURN = r"""
problem:
  description: Why Supervisor would not take the file that is there; empty when it would.
  returned: without C(content)
  type: str
"""

SECONDS = 60
MODE = 0o644


def refusal(file: Path, params: dict[str, Any]) -> str:
    """Return why Supervisor would not take FILE; empty when it would."""
    main = Path(params["config"])
    words = [params["python"], "-I", "-", file, params["link"], main, *params["groups"]]
    ran = subprocess.run(
        [str(word) for word in words],
        input=inspect.getsource(supervisor_parser),
        env=supervisor_parser.environment_of_supervisord(main),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    return "" if ran.returncode == 0 else last_line(ran.stderr) or f"exit code {ran.returncode}"


def up_to_date(dest: Path, content: bytes) -> bool:
    """Return whether DEST is a plain file of this content that root owns and all may read."""
    if dest.is_symlink() or not dest.is_file() or dest.read_bytes() != content:
        return False
    found = dest.stat()
    return (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (os.geteuid(), os.getegid(), MODE)


def write(dest: Path, content: bytes, params: dict[str, Any]) -> str:
    """Write DEST, whole or not at all, if Supervisor takes it; return why it would not."""
    descriptor, name = tempfile.mkstemp(prefix=f".{dest.name}.", suffix=".conf", dir=dest.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if problem := refusal(new, params):
            return problem.replace(name, str(dest))
        new.chmod(MODE)
        new.replace(dest)
    finally:
        new.unlink(missing_ok=True)
    return ""


def link_to(dest: Path, link: Path) -> None:
    """Make LINK a link to DEST, in one step.

    Raises:
        FileExistsError: There is something else than a link, which is not ours to replace.
    """
    if link.exists() and not link.is_symlink():
        raise FileExistsError(f"{link} is a file, not a link to {dest}")
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(dest)
    new.replace(link)


def difference(dest: Path, content: bytes) -> dict[str, str]:
    """Return the old and new content for --diff."""
    before = dest.read_text() if dest.is_file() else ""
    return {"before_header": str(dest), "after_header": str(dest), "before": before, "after": content.decode()}


def main() -> None:
    """Write the configuration, or say why not."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "content": {"type": "str"},
            "link": {"type": "path", "required": True},
            "linked": {"type": "bool", "default": False},
            "groups": {"type": "list", "elements": "str", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
        },
        supports_check_mode=True,
    )
    params = module.params
    dest, link = Path(params["dest"]), Path(params["link"])
    try:
        if params["content"] is None:
            module.exit_json(changed=False, problem=refusal(dest, params))
        content = params["content"].encode()
        stale = not up_to_date(dest, content)
        astray = params["linked"] and not (link.is_symlink() and os.readlink(link) == str(dest))
        diff = difference(dest, content) if stale else {}
        if module.check_mode:  # neither the directory nor the parser need be there yet
            module.exit_json(changed=stale or astray, diff=diff)
        if stale and (problem := write(dest, content, params)):
            module.fail_json(msg=f"Supervisor would not take the configuration: {problem}")
        if astray:
            link_to(dest, link)
    except (OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=f"The configuration cannot be put into place: {error}")
    module.exit_json(changed=stale or astray, diff=diff)


if __name__ == "__main__":
    main()
