#!/usr/bin/python3
"""Ansible module: who may use supervisord's control socket, by the configuration of its operators."""

from __future__ import annotations

import configparser
import glob
import os
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: supervisor_socket_info
short_description: Read who may use supervisord's control socket, and where its pid file is
description:
  - Reads the configuration as supervisord does, includes too, but without the kit's own file. Whoever may write to the
    socket may run anything as root.
  - Changes nothing. Runs in check mode too.
options:
  config:
    description: The main configuration file.
    type: path
    required: true
  own:
    description: The kit's file, which is left out.
    type: path
    required: true
author: messenger-kit
"""

RETURN = r"""
chmod:
  description: >-
    The mode that the kit must set, because everybody could use the socket. Empty when what is there keeps others out.
  returned: success
  type: str
pid_file:
  description: Its pid file.
  returned: success
  type: str
"""

SECTION = "unix_http_server"
OTHERS = 0o007


def read(config: Path, own: Path) -> configparser.RawConfigParser:
    """The configuration without OWN. Raises OSError, configparser.Error, UnicodeDecodeError."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=(";", "#"))
    with config.open() as file:
        parser.read_file(file)
    patterns = (parser.get("include", "files", fallback="") or "").replace("%(here)s", str(config.parent)).split()
    for pattern in patterns:
        for found in sorted(glob.glob(os.path.join(config.parent, pattern))):
            if Path(found) != own:
                parser.read(found)
    return parser


def wanted(parser: configparser.RawConfigParser) -> str:
    """The mode to set. Raises ValueError for one that is no octal number."""
    mode = int(parser.get(SECTION, "chmod", fallback="") or "0700", 8)
    has_login = bool(parser.get(SECTION, "username", fallback="") and parser.get(SECTION, "password", fallback=""))
    return "" if not mode & OTHERS or has_login else f"{mode & ~OTHERS:04o}"


def main() -> None:
    """Read it, and say what must change."""
    module = AnsibleModule(
        argument_spec={"config": {"type": "path", "required": True}, "own": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    config = Path(module.params["config"])
    try:
        parser = read(config, Path(module.params["own"]))
        mode = wanted(parser)
    except (OSError, ValueError, configparser.Error) as error:
        module.fail_json(msg=f"{config} or a file that it includes cannot be read: {error}")
    pid_file = parser.get("supervisord", "pidfile", fallback="") or "/run/supervisord.pid"
    module.exit_json(changed=False, chmod=mode, pid_file=pid_file.replace("%(here)s", str(config.parent)))


if __name__ == "__main__":
    main()
