"""Stands between a client and PostgreSQL and loses what NOTIFY sends, as a pool of connections may."""

from __future__ import annotations

import socket
import threading

from tests.support.servers import PostgresServer

_TOLD = b"A"  # NotificationResponse


class DeafProxy:
    """One port; every connection to it goes on to the server. Without TLS: the client must ask for none."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server.port))
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            threading.Thread(target=_copy_messages, args=(server, client), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := _receive(source, 65536):
        target.sendall(data)
    target.close()


def _copy_messages(source: socket.socket, target: socket.socket) -> None:
    """A message is a letter, four bytes that say how long the rest is with themselves, and the rest."""
    with source, target, source.makefile("rb") as stream:
        while head := stream.read(5):
            message = head + stream.read(int.from_bytes(head[1:], "big") - 4)
            if head[:1] != _TOLD:
                target.sendall(message)


def _receive(source: socket.socket, size: int) -> bytes:
    try:
        return source.recv(size)
    except OSError:
        return b""
