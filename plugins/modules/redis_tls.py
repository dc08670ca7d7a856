#!/usr/bin/python
"""Ansible module: the running Redis of this host serves the certificate that is in its file."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.messenger.kit.plugins.module_utils.redis import RedisError, Server, settings

DOCUMENTATION = r"""
module: redis_tls
short_description: Have the running Redis take a renewed certificate
description:
  - Compares the certificate that Redis serves with the one in its file, and has Redis read the file again where they
    differ. That takes no restart, and connections stay.
extends_documentation_fragment: [messenger.kit.redis]
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Have Redis read a renewed certificate
  messenger.kit.redis_tls:
"""

RETURN = r"""
# Nothing beside what every module returns.
"""

BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def served(host: str, port: int) -> bytes:
    """Return the certificate that is served there, without verifying it. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((host, port), timeout=10) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def in_file(file: Path) -> bytes:
    """The first certificate of a file. Raises OSError, ValueError."""
    _, _, after = file.read_text().partition(BEGIN)
    body, _, _ = after.partition(END)
    return ssl.PEM_cert_to_DER_cert(f"{BEGIN}{body}{END}")


def bring_in_line(config: Path, *, change: bool) -> bool:
    """Whether the two differed; then read again, if `change`. Raises RedisError, OSError, ValueError."""
    known = settings(config)
    port, file, key = int(known["tls-port"][0]), known["tls-cert-file"][0], known["tls-key-file"][0]
    server = Server(config)
    if served(server.host, port) == in_file(Path(file)):
        return False
    if change:
        server.call(["CONFIG", "SET", "tls-cert-file", file, "tls-key-file", key])
        if served(server.host, port) != in_file(Path(file)):
            raise RedisError("it serves another certificate still")
    return True


def main() -> None:
    """Compare, and have it read."""
    module = AnsibleModule(
        argument_spec={"config": {"type": "path", "default": "/etc/redis/redis.conf"}}, supports_check_mode=True
    )
    try:
        changed = bring_in_line(Path(module.params["config"]), change=not module.check_mode)
    except (RedisError, OSError, ValueError, LookupError) as error:
        if module.check_mode:  # it does not serve TLS yet
            module.exit_json(changed=True)
        module.fail_json(msg=f"certificate of the Redis on this host: {error}")
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
