"""The operators' page: a process of its own behind the agent's socket."""

from __future__ import annotations

from pathlib import Path


def main(socket: Path, host: str, port: int) -> int:
    """Serve the page until stopped."""
    from agent.hmi.server import run

    run(socket, host, port)
    return 0
