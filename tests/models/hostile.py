"""Servers that a camera may turn into: one that accepts and says nothing, and one that wants another password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Hostile:
    """Accepts connections on loopback; answers each request with ``answer``, or with nothing at all."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests: list[str] = []
        self._held: list[socket.socket] = []

    def logins(self) -> int:
        """Return how many times somebody tried a password."""
        return sum("authorization:" in request.lower() for request in self.requests)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._held.append(connection)
            if self._answer:
                self.requests.append(connection.recv(4096).decode())
                connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._held:
            connection.close()


@contextmanager
def hostile(answer: bytes = b"") -> Iterator[Hostile]:
    """Serve while the body runs."""
    server = Hostile(answer)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(2)
