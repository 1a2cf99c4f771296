"""A small client of the local API, for programs that ask once. Standard library only, so that it starts quickly."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFAULT_SOCKET = Path("/run/anshao/anshao.sock")


class AgentAway(Exception):  # noqa: N818 - the command line then exits with 3
    """No agent answers at the socket."""


class AgentRefused(Exception):  # noqa: N818 - the command line then exits with 1
    """The agent answered no; the text says why."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("agent", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Asks the agent at ``path`` (default: $ANSHAO_SOCKET, else where the service has it)."""

    def __init__(self, path: Path | None = None, timeout_s: float = 5.0) -> None:
        self.path = path or Path(os.environ.get("ANSHAO_SOCKET", DEFAULT_SOCKET))
        self._timeout_s = timeout_s

    def get(self, what: str) -> Any:
        """Return the JSON answer. Raises AgentAway and AgentRefused."""
        return json.loads(self._ask("GET", what, None, self._timeout_s).read())

    def post(self, what: str, **body: object) -> Any:
        """Send a command and return the JSON answer. Raises AgentAway and AgentRefused."""
        return json.loads(self._ask("POST", what, json.dumps(body), self._timeout_s).read())

    def content(self, what: str, body: dict[str, str] | None = None) -> bytes:
        """Return a file; with a body who asks for it is named. Raises AgentAway and AgentRefused."""
        text = json.dumps(body) if body is not None else None
        return self._ask("GET" if text is None else "POST", what, text, self._timeout_s).read()

    def stream(self) -> Iterator[dict[str, Any]]:
        """Yield events as they are journalled, until the agent goes away."""
        for line in self._ask("GET", "stream", None, None):
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def _ask(self, method: str, what: str, body: str | None, timeout_s: float | None) -> http.client.HTTPResponse:
        connection = _Connection(self.path, timeout_s)
        try:
            connection.request(method, f"/v1/{what}", body)
            response = connection.getresponse()
        except OSError as error:
            reason = error.strerror or str(error)
            raise AgentAway(
                f"no agent answers at {self.path} ({reason}); is it running? Look with 'systemctl status anshao', "
                "or name its socket with --socket or ANSHAO_SOCKET"
            ) from error
        if response.status >= 400:
            raise AgentRefused(_reason(response))
        return response


def _reason(response: http.client.HTTPResponse) -> str:
    try:
        return str(json.loads(response.read())["error"])
    except (ValueError, KeyError):
        return f"{response.status} {response.reason}"
