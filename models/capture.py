"""Takes pictures off a source for ever and keeps the newest only. Lives in the worker only."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.drain import Drain
from models.knock import LoginRefused, SourceLost, knock
from models.options import CameraOptions
from models.pace import Pace
from models.redaction import redact

Picture = npt.NDArray[np.uint8]
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
_LOGIN_WAIT_S = 60.0
_DEFAULT_FPS = 25.0
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_LARGE = 1280 * 720
_H265 = ("hevc", "hev1", "hvc1", "h265")


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
        self.advice = ""
        """What would be better about the stream, in words."""
        self.received = 0
        self.replaced = 0
        self.drained = 0
        self.turned_s = time.monotonic()
        """When the grabber last came back from the video library."""
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

    def drain(self) -> None:
        """Count a picture that is too old to be shown to anybody."""
        self.received += 1
        self.drained += 1

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
    """Opens the source, reads it, opens it anew: 1, 2, 4 … 30 s apart while it stays away.

    A source that refuses the password is asked once a minute: cameras lock accounts.
    """

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
                self._slot.lose(f"the {'folder' if Path(self._options.source).is_dir() else 'file'} has ended")
                self._rest(float("inf"))
            except LoginRefused as lost:
                self._slot.lose(redact(str(lost)))
                self._rest(_LOGIN_WAIT_S)
                continue
            except (SourceLost, cv2.error) as lost:
                self._slot.lose(redact(str(lost)))
            wait_s = _FIRST_WAIT_S if self._slot.received > before else wait_s
            self._rest(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _rest(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._slot.turned_s = time.monotonic()
            time.sleep(min(left_s, 1.0))

    def _play(self) -> None:
        if self._options.is_file and Path(self._options.source).is_dir():
            for picture in folder(self._options):
                self._put(picture)
            return
        capture = open_source(self._options)
        try:
            self._slot.advice = advice(capture, self._options)
            pictures = self._file(capture) if self._options.is_file else self._stream(capture)
            for picture in pictures:
                self._put(picture)
        finally:
            capture.release()

    def _put(self, picture: Picture) -> None:
        self._slot.turned_s = time.monotonic()
        self._slot.put(picture, time.monotonic())

    def _stream(self, capture: Any) -> Iterator[Picture]:
        """Yield a stream's live pictures. One that took as long as the limit is an old one, flushed out of the decoder.

        What waited in buffers while the stream or this process stood still is old too.
        """
        drain = Drain()
        while True:
            asked_s = time.monotonic()
            there, picture = capture.read()
            now_s = self._slot.turned_s = time.monotonic()
            if not there or now_s - asked_s > 0.9 * self._options.timeout:
                raise SourceLost("the stream stopped")
            if drain.is_old(asked_s, now_s):
                self._slot.drain()
            else:
                yield picture

    def _file(self, capture: Any) -> Iterator[Picture]:
        """Yield a file's pictures at its own pace, from the beginning again when it loops."""
        pace = Pace(1 / (capture.get(cv2.CAP_PROP_FPS) or _DEFAULT_FPS))
        count = 0
        while True:
            there, picture = capture.read()
            if there:
                count += 1
                yield picture
                pace.wait()
            elif not count:
                raise SourceLost(f"{self._options.source} holds no picture that can be decoded")
            elif not self._options.loop:
                return
            else:
                count = 0
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)


def folder(options: CameraOptions) -> Iterator[Picture]:
    """Yield a folder's pictures in the order of their names, at ``fps``; a file that is none is passed over."""
    pace = Pace(1 / options.fps)
    while True:
        count = 0
        for path in sorted(Path(options.source).iterdir()):
            picture = cv2.imread(str(path)) if path.suffix.lower() in _PICTURES else None
            if picture is not None:
                count += 1
                yield np.asarray(picture, np.uint8)
                pace.wait()
        if not count:
            raise SourceLost(f"{options.source} holds no picture ({', '.join(_PICTURES)})")
        if not options.loop:
            return


def open_source(options: CameraOptions) -> Any:
    """Return an opened capture. Raises SourceLost with the reason; takes at most about three times the timeout."""
    if options.usb_index is not None:
        capture = cv2.VideoCapture(options.usb_index, cv2.CAP_V4L2)
    else:
        _probe(options)
        # The transport is read at opening, and at most 2 s are spent on guessing the frame rate.
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"rtsp_transport;{options.transport}|analyzeduration;2000000"
        # Limits count only when they are given at opening; later they are refused without a word.
        limit_ms = int(options.timeout * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms]
        capture = cv2.VideoCapture(options.source, cv2.CAP_FFMPEG, [*limits, cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise SourceLost(_refusal(options))
    return capture


def advice(capture: Any, options: CameraOptions) -> str:
    """Say what would be cheaper about a live stream; empty when it is small H.264."""
    if options.is_file:
        return ""
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode(errors="replace").lower()
    found = [f"{width}x{height}"] if width * height > _LARGE else []
    found += ["H.265"] if codec in _H265 else []
    if not found:
        return ""
    return f"the stream is {' '.join(found)}; take the camera's sub-stream (about 640x360, H.264): it costs a tenth"


def _probe(options: CameraOptions) -> None:
    """Find the plain reasons first: the library gives none."""
    if not options.is_file:
        knock(options.source, options.timeout)
    elif not os.access(options.source, os.R_OK):
        there = Path(options.source).exists()
        raise SourceLost(f"{options.source}: {'may not be read' if there else 'there is no such file'}")


def _refusal(options: CameraOptions) -> str:
    if options.usb_index is not None:
        return f"/dev/video{options.usb_index} cannot be opened; is the camera plugged in, may the service read it?"
    if options.is_file:
        return f"{options.source} is not a video that can be read"
    return "the server answers but gives no video; check path and codec (H.264)"
