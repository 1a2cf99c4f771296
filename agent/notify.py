"""sd_notify(3): tells systemd that the service is ready and alive."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send ``state`` (``READY=1``, ``WATCHDOG=1``, ``STATUS=…``) to systemd; does nothing outside of it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
        try:
            datagram.sendto(state.encode(), address.replace("@", "\0", 1))
        except OSError:
            return  # systemd restarts us if it misses enough of these; there is nobody else to tell
