"""A network camera that sends Motion-JPEG over HTTP, 10 pictures per second, until it is told to hang."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2


class MjpegCamera(ThreadingHTTPServer):
    """Serves the pictures of a clip at ``/``; ``hanging`` keeps connections open and sends nothing."""

    daemon_threads = True

    def __init__(self, clip: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hanging = threading.Event()
        self.pictures: list[bytes] = []
        self.show(clip)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def show(self, clip: Path) -> None:
        """Send the first three seconds of a clip from now on, again and again."""
        capture = cv2.VideoCapture(str(clip))
        self.pictures = [bytes(cv2.imencode(".jpg", capture.read()[1])[1]) for _ in range(30)]

    @property
    def url(self) -> str:
        """Where the stream is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: MjpegCamera

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        number = 0
        while not self.server.hanging.is_set():
            pictures = self.server.pictures
            picture = pictures[number % len(pictures)]
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + picture + b"\r\n")
            except OSError:
                return
            number += 1
            time.sleep(0.1)
        time.sleep(30)

    def log_message(self, format: str, *args: object) -> None:
        return
