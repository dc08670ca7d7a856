#!/usr/bin/python
"""Ansible module: a certificate for the Redis of this host, signed by an authority of its own."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: redis_certificate
short_description: Make and renew a self-made certificate and its authority
description:
  - Keys are made on this host with openssl and never leave it. Only the authority's certificate is handed out.
  - A certificate is renewed, with a new key, when it expires soon or its names changed. Key and certificate are in one
    file, replaced in one step. The authority keeps its key, so that workers with its old certificate trust what it
    signs.
  - Runs in check mode too and changes nothing then.
options:
  directory:
    description: Where F(authority.key), F(authority.pem) and F(server.pem) are; it must exist.
    type: path
    required: true
  names:
    description: Host names and IP addresses the certificate is for.
    type: list
    elements: str
    required: true
  group:
    description: The group that may read F(server.pem).
    type: str
    required: true
  days:
    description: How long a new certificate is good. The authority's is good for ten years.
    type: int
    required: true
  renew_days:
    description: A certificate that is good for fewer days is renewed.
    type: int
    required: true
author: The messenger-kit authors (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Create the certificate, or renew it
  messenger.kit.redis_certificate:
    directory: /etc/redis/tls
    names: [redis1.example.org, localhost, 127.0.0.1]
    group: redis
    days: 365
    renew_days: 30
  register: certificate
"""

RETURN = r"""
authority:
  description: The authority's certificate, PEM.
  returned: success
  type: str
reasons:
  description: Why something was made, or would be.
  returned: success
  type: list
  elements: str
"""

DAY = 86400
AUTHORITY_DAYS = 3650


class OpensslError(Exception):
    """What openssl said."""


def openssl(*arguments: str) -> str:
    """Run it. Raises OpensslError."""
    try:
        result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError as error:
        raise OpensslError("openssl is not installed on this host: apt-get install openssl") from error
    if result.returncode:
        raise OpensslError(f"openssl {arguments[0]}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def holds(*arguments: str) -> bool:
    """Whether openssl agrees."""
    try:
        openssl(*arguments)
    except OpensslError:
        return False
    return True


def alternative(name: str) -> str:
    """NAME as an entry of subjectAltName."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


class Certificates:
    """The files in one directory. names: what the certificate is for."""

    def __init__(self, directory: Path, names: list[str]) -> None:
        self.key, self.authority = directory / "authority.key", directory / "authority.pem"
        self.server = directory / "server.pem"
        self.names = [alternative(name) for name in dict.fromkeys(names)]

    def bring_in_line(self, days: int, renew_days: int, *, group: str, change: bool) -> list[str]:
        """Make what is missing or not good any more, if `change`. Why it was, or would be, made."""
        authority, server = self._authority_lacks(renew_days), self._server_lacks(renew_days)
        if (authority or server) and change:
            with tempfile.TemporaryDirectory(dir=self.server.parent, prefix=".new-") as name:
                if authority:
                    self._make_authority(Path(name))
                    server = self._server_lacks(renew_days)
                if server:
                    self._make_server(Path(name), days, group)
        return [reason for reason in (authority, server) if reason]

    def _authority_lacks(self, renew_days: int) -> str:
        if not self.key.exists() or not self.authority.exists():
            return "there is no authority yet"
        if not holds("x509", "-in", str(self.authority), "-noout", "-checkend", str(renew_days * DAY)):
            return "the authority's certificate expires soon"
        return ""

    def _server_lacks(self, renew_days: int) -> str:
        server = str(self.server)
        if not self.server.exists():
            return "there is no certificate yet"
        if not holds("x509", "-in", server, "-noout", "-checkend", str(renew_days * DAY)):
            return "the certificate expires soon"
        if not holds("verify", "-CAfile", str(self.authority), server):
            return "another authority has signed the certificate"
        found = openssl("x509", "-in", server, "-noout", "-ext", "subjectAltName").splitlines()[-1]
        is_for = {entry.strip().replace("IP Address:", "IP:") for entry in found.split(",")}
        if {_plain(entry) for entry in is_for} != {_plain(entry) for entry in self.names}:
            return "the certificate is for other names"
        return ""

    def _make_authority(self, scratch: Path) -> None:
        """The certificate, and the key where there is none."""
        if not self.key.exists():
            openssl(*_NEW_KEY, "-out", str(scratch / "authority.key"))
            _put(scratch / "authority.key", self.key, 0o600)
        extensions = ["basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign"]
        openssl(
            *("req", "-x509", "-key", str(self.key), "-subj", f"/CN=messenger-kit Redis {os.uname().nodename[:40]}"),
            *("-days", str(AUTHORITY_DAYS), "-out", str(scratch / "authority.pem")),
            *(part for extension in extensions for part in ("-addext", extension)),
        )
        _put(scratch / "authority.pem", self.authority, 0o644)

    def _make_server(self, scratch: Path, days: int, group: str) -> None:
        """A new key and its certificate, in one file."""
        key, request, made = scratch / "key.pem", scratch / "request.pem", scratch / "certificate.pem"
        extensions = scratch / "extensions"
        extensions.write_text(
            f"subjectAltName={','.join(self.names)}\n"
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n"
        )
        openssl(*_NEW_KEY, "-out", str(key))
        openssl("req", "-new", "-key", str(key), "-subj", "/CN=redis", "-out", str(request))
        openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(self.authority), "-CAkey", str(self.key)),
            *("-set_serial", f"0x{os.urandom(16).hex()}", "-days", str(days)),
            *("-extfile", str(extensions), "-out", str(made)),
        )
        both = scratch / "server.pem"
        both.write_text(key.read_text() + made.read_text())
        _put(both, self.server, 0o640, group)


_NEW_KEY = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def _plain(entry: str) -> str:
    """An entry in one spelling: openssl writes IPv6 addresses in another."""
    kind, _, name = entry.partition(":")
    return str(ipaddress.ip_address(name)) if kind == "IP" else name.lower()


def _put(made: Path, place: Path, mode: int, group: str | None = None) -> None:
    """Move a file that was made beside it into place, in one step and with its rights."""
    made.chmod(mode)
    if group is not None:
        shutil.chown(made, group=group)
    made.replace(place)


def main() -> None:
    """See what is missing, and make it."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "group": {"type": "str", "required": True},
            "days": {"type": "int", "required": True},
            "renew_days": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    os.umask(0o077)
    certificates = Certificates(Path(wanted["directory"]), wanted["names"])
    try:
        reasons = certificates.bring_in_line(
            wanted["days"], wanted["renew_days"], group=wanted["group"], change=not module.check_mode
        )
    except (OpensslError, OSError, LookupError) as error:
        module.fail_json(msg=f"certificate of Redis in {wanted['directory']}: {error}")
    there = certificates.authority
    module.exit_json(changed=bool(reasons), reasons=reasons, authority=there.read_text() if there.exists() else "")


if __name__ == "__main__":
    main()
