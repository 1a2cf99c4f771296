"""The demo's broker: mosquitto where it is installed, else the small one of the demo. It can go away and return."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from agent.demo.process import Child, wait_for_port

_CONFIG = """\
# Written by the demo. What mosquitto acknowledges it must not forget: it saves its queues at every change.
# It stays who started it, so that it can write here ("user" means nothing unless root did).
listener {port} 127.0.0.1
allow_anonymous true
user root
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
log_dest stderr
"""


class Broker:
    """One broker process at a time, always on the same port."""

    def __init__(self, folder: Path, port: int, embedded: bool = False) -> None:
        self.port = port
        self.kind, command = _command(folder, port, embedded)
        self._log = folder / "broker.log"
        self._command = command
        self.child = Child("broker", command, self._log)

    async def start(self) -> None:
        """Start it and wait until it accepts connections. Raises DemoError."""
        await self.child.start()
        await wait_for_port(self.port, 10, self.kind)

    async def stop(self) -> None:
        """Let it go away; ``start`` brings it back."""
        await self.child.stop()


def find_mosquitto() -> str | None:
    """Return the path of mosquitto, which Debian keeps where a user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _command(folder: Path, port: int, embedded: bool) -> tuple[str, list[str]]:
    mosquitto = None if embedded else find_mosquitto()
    if mosquitto is None:
        return "the demo's own broker", [sys.executable, "-m", "agent.demo.minibroker", str(port)]
    config = folder / "mosquitto.conf"
    data = folder / "mosquitto"
    data.mkdir(exist_ok=True)
    config.write_text(_CONFIG.format(port=port, folder=data), encoding="utf-8")
    return "mosquitto", [mosquitto, "-c", str(config)]
