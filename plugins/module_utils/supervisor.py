"""Reach a running supervisord as supervisorctl does, which takes much longer to start."""

from __future__ import annotations

import base64
import configparser
import http.client
import socket
import xmlrpc.client
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Process = dict[str, Any]


class UnixConnection(http.client.HTTPConnection):
    """HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC transport over a Unix socket."""

    def __init__(self, path: str, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(headers=headers)
        self.path = path

    def make_connection(self, host: Any) -> UnixConnection:
        if self._connection[1] is None:
            self._connection = host, UnixConnection(self.path)
        return self._connection[1]


def connect(config: str) -> xmlrpc.client.ServerProxy:
    """Return the XML-RPC interface of supervisord.

    Args:
        config: Configuration that says how to reach it, as for supervisorctl.
    """
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    parser.read(config)
    url = parser.get("supervisorctl", "serverurl", fallback="unix:///var/run/supervisor.sock")
    user = parser.get("supervisorctl", "username", fallback="")
    login = f"{user}:{parser.get('supervisorctl', 'password', fallback='')}"
    headers = [("Authorization", "Basic " + base64.b64encode(login.encode()).decode())] if user else []
    if url.startswith("unix://"):
        transport = UnixTransport(url[len("unix://") :], headers)
        return xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport)
    return xmlrpc.client.ServerProxy(url.rstrip("/") + "/RPC2", headers=headers)


def processes_of(server: Any, groups: Iterable[str]) -> dict[str, Process]:
    """Return what supervisord reports of the processes of some groups, by `group:name`."""
    wanted = set(groups)
    return {f"{info['group']}:{info['name']}": info for info in server.getAllProcessInfo() if info["group"] in wanted}


def unless(code: int, call: Callable[..., Any], *arguments: Any) -> bool:
    """Make a call to supervisord.

    Args:
        code: The fault that says that nothing was left to do.

    Returns:
        Whether something was done.
    """
    try:
        call(*arguments)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != code:
            raise
        return False
    return True
