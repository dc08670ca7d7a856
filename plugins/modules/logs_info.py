#!/usr/bin/python
"""Ansible module: read the last lines of the workers' logs of a host."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils import log_lines
from ansible_collections.messenger.kit.plugins.module_utils.text import printable
from ansible_collections.messenger.kit.plugins.module_utils.user import Outsider, Refused

DOCUMENTATION = r"""
module: logs_info
short_description: Read the last lines of the workers' logs of a host
description:
  - Reads Supervisor's logs, and as the application's user those that workers write in the background, which lie where
    that user may write. Of each log at most the last 4 MB are read. Changes nothing.
options:
  python: {description: The Python that reads as this user., type: path, default: /usr/bin/python3}
  lines: {description: How many lines., type: int, required: true}
  pool: {description: "The pool whose logs are meant; empty is every pool.", type: str, default: ""}
  newest: {description: "Only Supervisor's log that was written to last.", type: bool, default: false}
extends_documentation_fragment: [messenger.kit.application, messenger.kit.application.user]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check the end of the logs
  messenger.kit.logs_info:
    root: /srv/sms
    user: sms
    lines: 100
  register: logs
"""

RETURN = r"""
pools: {description: Pools that have logs., returned: always, type: list}
logs: {description: "Processes whose logs were read.", returned: always, type: list}
lines: {description: "C([seconds since 1970, process, text]), the oldest first.", returned: always, type: list}
"""

SECONDS = 60


def of_outsider(root: Path, user: str, python: str, count: int, pool: str) -> dict[str, Any]:
    """Return what the application's user reads from the logs in the background; its answer is checked in all parts."""
    outsider = Outsider.named(user, python)
    if outsider is None:
        return {}
    script = inspect.getsource(log_lines)
    given = outsider.ask(script, str(root / "shared/var/detached"), str(count), pool, seconds=SECONDS)
    names = {key: [printable(name, 100) for name in listed(given.get(key))] for key in ("pools", "logs")}
    return {**names, "lines": [line for line in listed(given.get("lines")) if is_line(line)]}


def listed(value: object) -> list[Any]:
    """Return a value if it is a list, otherwise an empty list."""
    return value if isinstance(value, list) else []


def is_line(value: object) -> bool:
    """Return whether a value is [seconds, process, text]."""
    return (
        isinstance(value, list)
        and [type(each) for each in value] in ([float, str, str], [int, str, str])
        and math.isfinite(value[0])
    )


def read(params: dict[str, Any]) -> dict[str, Any]:
    """Return the pools, logs and lines of Supervisor's logs and of those in the background."""
    root, count, pool = Path(params["root"]), params["lines"], params["pool"]
    if params["newest"]:
        return log_lines.last_lines(str(root / "shared/log"), count, most_files=1)
    found = log_lines.last_lines(str(root / "shared/log"), count, pool)
    try:
        more = of_outsider(root, params["user"], params["python"], count, pool)
    except Refused as refused:
        return {**found, "warning": f"logs of workers in the background are left out: {printable(refused)}"}
    return {key: [*found[key], *more.get(key, [])] for key in found}


def main() -> None:
    """Read the logs, or fail with the reason."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "lines": {"type": "int", "required": True},
            "pool": {"type": "str", "default": ""},
            "newest": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        found = read(module.params)
    except OSError as error:
        module.fail_json(msg=printable(error))
    if "warning" in found:
        module.warn(found["warning"])
    rows = sorted(found["lines"], key=lambda line: float(line[0]))[-module.params["lines"] :]
    module.exit_json(
        changed=False,
        pools=sorted(set(found["pools"])),
        logs=found["logs"],
        lines=[[seconds, printable(process, 100), printable(text)] for seconds, process, text in rows],
    )


if __name__ == "__main__":
    main()
