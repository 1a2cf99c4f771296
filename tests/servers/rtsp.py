"""Debian's GStreamer RTSP server, playing a file at rtsp://127.0.0.1:PORT/cam."""

from __future__ import annotations

from pathlib import Path

from tests.servers.process import HERE, Server, free_port


def rtsp(video: Path, login: str = "") -> Server:
    """Return a server on loopback that is not started; ``login`` is user:password."""
    port = free_port()
    command = ["/usr/bin/python3", str(HERE / "rtsp_server.py"), str(port), str(video.absolute())]
    return Server([*command, login] if login else command, port)
