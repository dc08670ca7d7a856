#!/usr/bin/python
"""Ansible module: who may use supervisord's control socket, by the configuration of its operators."""

from __future__ import annotations

import configparser
import glob
import grp
import os
import pwd
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: supervisor_socket_info
short_description: Read who may use supervisord's control socket, and where its pid file is
description:
  - Reads the configuration as supervisord does, includes too, but without the kit's own file. Whoever may write to the
    socket may run anything as root.
  - Changes nothing. Supports check mode.
options:
  config:
    description: The main configuration file.
    type: path
    default: /etc/supervisor/supervisord.conf
  own:
    description: The kit's file, which is left out.
    type: path
    default: /etc/supervisor/conf.d/00-supervisord.conf
  user:
    description: The application's user, who must not write to the socket. Need not exist yet.
    type: str
    default: ""
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check who may use the control socket
  messenger.kit.supervisor_socket_info:
    user: shop
  register: socket
"""

RETURN = r"""
chmod:
  description: >-
    The mode that the kit must set, because everybody could use the socket. Empty when what is there keeps others out.
  returned: success
  type: str
open_to_user:
  description: >-
    The settings by which O(user) may write to the socket without a password. Empty when it may not.
  returned: success
  type: str
pid_file:
  description: Its pid file.
  returned: success
  type: str
"""

SECTION = "unix_http_server"
OTHERS = 0o007
OWNER_WRITES, GROUP_WRITES = 0o200, 0o020


def read(config: Path, own: Path) -> configparser.RawConfigParser:
    """Return the configuration without the kit's own file.

    Raises:
        OSError, configparser.Error, UnicodeDecodeError: A file cannot be read.
    """
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";", "#"))
    with config.open() as file:
        parser.read_file(file)
    patterns = (parser.get("include", "files", fallback="") or "").replace("%(here)s", str(config.parent)).split()
    for pattern in patterns:
        for found in sorted(glob.glob(os.path.join(config.parent, pattern))):
            if Path(found) != own:
                parser.read(found)
    return parser


def value(parser: configparser.RawConfigParser, name: str) -> str:
    """Return a setting of the socket, empty when there is none."""
    return parser.get(SECTION, name, fallback="") or ""


def needs_login(parser: configparser.RawConfigParser) -> bool:
    """Return whether supervisord asks for a user and a password."""
    return bool(value(parser, "username") and value(parser, "password"))


def mode_there(parser: configparser.RawConfigParser) -> int:
    """Return the mode of the socket.

    Raises:
        ValueError: It is no octal number.
    """
    return int(value(parser, "chmod") or "0700", 8)


def wanted(parser: configparser.RawConfigParser) -> str:
    """Return the mode to set, empty where the one that is there keeps others out."""
    mode = mode_there(parser)
    return "" if not mode & OTHERS or needs_login(parser) else f"{mode & ~OTHERS:04o}"


def open_to(parser: configparser.RawConfigParser, user: str) -> str:
    """Return the settings by which a user, as the owner or by its groups, may write to the socket."""
    mode, chown = mode_there(parser), value(parser, "chown")
    if not user or not chown or needs_login(parser):
        return ""
    owner, _, group = chown.partition(":")
    users, groups = identities(user)
    may_write = (mode & OWNER_WRITES and owner in users) or (mode & GROUP_WRITES and group in groups)
    return f"chown={chown}, chmod={mode:04o}" if may_write else ""


def identities(user: str) -> tuple[set[str], set[str]]:
    """Return names and numbers of a user and of its groups. One that does not exist yet gets a group of its name."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return {user}, {user}
    groups = {str(number) for number in os.getgrouplist(entry.pw_name, entry.pw_gid)}
    return {user, str(entry.pw_uid)}, groups | {each.gr_name for each in grp.getgrall() if str(each.gr_gid) in groups}


def main() -> None:
    """Read it, and return what must change."""
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "path", "default": "/etc/supervisor/supervisord.conf"},
            "own": {"type": "path", "default": "/etc/supervisor/conf.d/00-supervisord.conf"},
            "user": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    config = Path(module.params["config"])
    try:
        parser = read(config, Path(module.params["own"]))
        mode, exposed = wanted(parser), open_to(parser, module.params["user"])
    except (OSError, ValueError, configparser.Error) as error:
        module.fail_json(msg=f"{config} or a file that it includes cannot be read: {error}")
    pid_file = parser.get("supervisord", "pidfile", fallback="") or "/run/supervisord.pid"
    module.exit_json(
        changed=False,
        chmod=mode,
        open_to_user=exposed,
        pid_file=pid_file.replace("%(here)s", str(config.parent)),
    )


if __name__ == "__main__":
    main()
