"""Debian's mosquitto, with a queue that survives kill -9 (its defaults forget: docs/events.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.servers.process import Server, free_port


def mosquitto(folder: Path, *lines: str) -> Server:
    """Return a broker on loopback that keeps its state in ``folder``; it is not started."""
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    assert Path(binary).exists(), "mosquitto is missing: run tools/test-servers"
    port = free_port()
    settings = (
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
        "max_queued_messages 0",
        "user root",
        *lines,
    )
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(settings) + "\n")
    return Server([binary, "-c", str(config)], port, ready=None)
