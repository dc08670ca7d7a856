"""Documentation of the action plugin of the same name, which does everything on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_program
short_description: Run a program of the kit on the controller
description:
  - The program reads one JSON document and prints another. It changes nothing but caches of the controller, so it runs
    in check mode, too.
options:
  program: {description: File of the program., type: path, required: true}
  values: {description: What the program is asked., type: dict, default: {}}
  variables: {description: Keys that are added to C(values) from variables of these names., type: dict, default: {}}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Fetch the source
  messenger.kit.controller_program:
    program: "{{ role_path }}/files/fetch_source.py"
    values: {source: /home/anna/sms}
  register: source
"""

RETURN = r"""
problem: {description: Why there is no answer., returned: failure, type: str}
"""
