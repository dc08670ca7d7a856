"""Documentation of the action plugin of the same name, which does everything on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inputs_info
short_description: Check the variables of roles against their argument specs
description:
  - Stricter than the check of an argument spec by Ansible, and finds names that are nearly one of the roles'. No value
    of a variable that may hold a secret is in a finding.
  - Runs on the controller and changes nothing.
options:
  roles: {description: Names of the roles., type: list, elements: str, default: []}
  command_line: {description: Names that only C(-e) may set., type: list, elements: str, default: []}
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Check the variables of the workers
  messenger.kit.inputs_info:
    roles: [messenger_app, messenger_worker, supervisor]
    command_line: [reason]
  register: inputs
"""

RETURN = r"""
findings:
  description: What is wrong, each with C(level), C(where), C(found) and C(change).
  returned: always
  type: list
  elements: dict
"""
