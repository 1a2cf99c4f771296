"""The independent decoder: npm sparkplug-payload, in a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.servers.process import HERE


class Codec:
    """Use as a context manager."""

    def __enter__(self) -> Codec:
        command = ["node", str(HERE / "sparkplug_codec.js")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", "run tools/test-servers"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(5.0)
        self._process.stdout.close()

    def decode(self, body: bytes, types: Mapping[int, int] = {}) -> dict[str, Any]:
        """Return ``raw``, which has only what is on the wire, and ``metrics``, as a host sees them."""
        return self._ask({"decode": body.hex(), "types": types})

    def encode(self, payload: Mapping[str, Any]) -> bytes:
        return bytes.fromhex(self._ask({"encode": payload})["hex"])

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer
