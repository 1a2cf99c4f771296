"""Takes pictures off a source for ever and keeps the newest only. Lives in the worker only."""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import numpy.typing as npt

from models.options import CameraOptions
from models.redaction import redact

Picture = npt.NDArray[np.uint8]
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
_DEFAULT_FPS = 25.0


class SourceLost(Exception):  # noqa: N818 - a state, like NotConnected
    """The source gives no pictures; the text says why, in words."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture; ``taken_s`` is monotonic seconds when it was grabbed, ``number`` counts from 1."""

    number: int
    taken_s: float
    picture: Picture


class Slot:
    """Holds the newest frame and nothing else. ``why`` tells why there is none; counters only grow."""

    def __init__(self) -> None:
        self.why = "the source is being opened"
        self.received = 0
        self.replaced = 0
        self._frame: Frame | None = None
        self._fresh = threading.Condition()

    def put(self, picture: Picture, now_s: float) -> None:
        """Replace the newest frame."""
        with self._fresh:
            self.received += 1
            self.replaced += self._frame is not None
            self._frame = Frame(self.received, now_s, picture)
            self.why = ""
            self._fresh.notify()

    def lose(self, why: str) -> None:
        """Say why no frames come."""
        self.why = why

    def take(self, limit_s: float) -> Frame | None:
        """Wait for a frame that was not taken yet and take it; None after ``limit_s``."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._frame is not None, limit_s)
            frame, self._frame = self._frame, None
            return frame


class Grabber(threading.Thread):
    """Opens the source, reads it, opens it anew: 1, 2, 4 … 30 s apart while it stays away."""

    def __init__(self, options: CameraOptions, slot: Slot) -> None:
        super().__init__(name="grabber", daemon=True)
        self._options = options
        self._slot = slot

    def run(self) -> None:
        """Never return, but for a file that ended and shall not loop."""
        wait_s = _FIRST_WAIT_S
        while True:
            before = self._slot.received
            try:
                self._play()
                self._slot.lose("the file has ended")
                return
            except (SourceLost, cv2.error) as lost:
                self._slot.lose(redact(str(lost)))
            wait_s = _FIRST_WAIT_S if self._slot.received > before else wait_s
            time.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _play(self) -> None:
        capture = open_source(self._options)
        try:
            pictures = self._file(capture) if self._options.is_file else _stream(capture, self._options.timeout)
            for picture in pictures:
                self._slot.put(picture, time.monotonic())
        finally:
            capture.release()

    def _file(self, capture: Any) -> Iterator[Picture]:
        """Yield a file's pictures at its own pace, from the beginning again when it loops."""
        step_s = 1 / (capture.get(cv2.CAP_PROP_FPS) or _DEFAULT_FPS)
        due_s = time.monotonic()
        count = 0
        while True:
            there, picture = capture.read()
            if there:
                count += 1
                yield picture
                due_s = max(due_s + step_s, time.monotonic() - step_s)
                time.sleep(max(0.0, due_s - time.monotonic()))
            elif not count:
                raise SourceLost(f"{self._options.source} holds no picture that can be decoded")
            elif not self._options.loop:
                return
            else:
                count = 0
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)


def _stream(capture: Any, limit_s: float) -> Iterator[Picture]:
    """Yield a stream's pictures. One that took as long as the limit is an old one, flushed out of the decoder."""
    while True:
        began_s = time.monotonic()
        there, picture = capture.read()
        if not there or time.monotonic() - began_s > 0.9 * limit_s:
            raise SourceLost("the stream stopped")
        yield picture


def open_source(options: CameraOptions) -> Any:
    """Return an opened capture. Raises SourceLost with the reason; takes at most about twice the timeout."""
    limit_ms = int(options.timeout * 1000)
    # Limits count only when they are given at opening; later they are refused without a word.
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
    if options.usb_index is not None:
        capture = cv2.VideoCapture(options.usb_index, cv2.CAP_V4L2)
    else:
        _probe(options)
        capture = cv2.VideoCapture(options.source, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise SourceLost(_refusal(options))
    return capture


def _probe(options: CameraOptions) -> None:
    """Find the plain reasons first: the library gives none."""
    if options.is_file:
        if not os.access(options.source, os.R_OK):
            there = Path(options.source).exists()
            raise SourceLost(f"{options.source}: {'may not be read' if there else 'there is no such file'}")
        return
    parts = urlsplit(options.source)
    port = parts.port or _PORTS[parts.scheme.lower()]
    try:
        socket.create_connection((str(parts.hostname), port), options.timeout).close()
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise SourceLost(f"{parts.hostname}:{port}: {reason}") from error


def _refusal(options: CameraOptions) -> str:
    if options.usb_index is not None:
        return f"/dev/video{options.usb_index} cannot be opened; is the camera plugged in, may the service read it?"
    if options.is_file:
        return f"{options.source} is not a video that can be read"
    return "the server answers but gives no video; check path, user, password and codec (H.264)"
