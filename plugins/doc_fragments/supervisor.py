"""The option of the modules that reach the host's supervisord."""

from __future__ import annotations


class ModuleDocFragment:
    """`messenger.kit.supervisor`."""

    DOCUMENTATION = r"""
options:
  config:
    description: Configuration that says how to reach supervisord.
    type: path
    default: /etc/supervisor/supervisord.conf
"""
