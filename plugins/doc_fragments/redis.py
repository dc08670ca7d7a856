"""The option of the modules that reach the host's Redis."""

from __future__ import annotations


class ModuleDocFragment:
    """`messenger.kit.redis`."""

    DOCUMENTATION = r"""
options:
  config:
    description: The server's configuration file.
    type: path
    default: /etc/redis/redis.conf
"""
