"""Keeps evidence: on an order, pictures at once and a clip when its time is over. A thread of the vision worker."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.clip import fingerprint, write_clip, write_file
from models.drawing import annotate
from models.options import CameraOptions
from models.ring import PICTURES_PER_S, QUALITY, Ring, Still, blurred
from models.wire import Kept

Picture = npt.NDArray[np.uint8]
SPARE_S = 5.0
"""The ring holds that much more than a clip: the order comes after the alarm, and writing takes time."""
MOST_ORDERS = 8
_LATE_S = 0.3


@dataclass(frozen=True, slots=True)
class Order:
    """Evidence of the moment ``at_s`` (monotonic), to be written into ``folder``, which is there."""

    id: str
    folder: Path
    at_s: float

    @classmethod
    def read(cls, data: dict[str, Any]) -> Order:
        """Return what a line from the agent says."""
        return cls(data["id"], Path(data["folder"]), data["at_s"])


class Keeper(threading.Thread):
    """Takes orders from any thread; ``tell`` is called from its own with each file, or why there is none."""

    def __init__(self, options: CameraOptions, ring: Ring, model: str, tell: Callable[[Kept], None]) -> None:
        super().__init__(name="evidence", daemon=True)
        self._options, self._ring, self._model, self._tell = options, ring, model, tell
        self._private = options.privacy != "off"
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._waiting: list[Order] = []

    def order(self, order: Order) -> None:
        """Take an order; more than MOST_ORDERS at once are refused."""
        self._orders.put(order)

    def run(self) -> None:
        """Never return."""
        while True:
            self._accept()
            now_s = time.monotonic()
            for order in [each for each in self._waiting if self._due_s(each) <= now_s]:
                self._waiting.remove(order)
                self._keep_clips(order)

    def _due_s(self, order: Order) -> float:
        return order.at_s + self._options.clip_after + _LATE_S

    def _accept(self) -> None:
        """Wait for an order, or until a clip is due."""
        due_s = min(map(self._due_s, self._waiting), default=None)
        try:
            order = self._orders.get(timeout=None if due_s is None else max(0.0, due_s - time.monotonic()))
        except queue.Empty:
            return
        if len(self._waiting) >= MOST_ORDERS:
            self._tell(Kept(order.id, "", reason="more alarms at once than the camera can keep evidence of", last=True))
            return
        self._keep_pictures(order)
        self._waiting.append(order)

    def _keep_pictures(self, order: Order) -> None:
        still = self._ring.decisive(order.at_s)
        if still is None:
            for kind in ("snapshot", "annotated"):
                self._tell(Kept(order.id, kind, reason="the camera had given no picture"))
            return
        clean = still.picture()
        shown = blurred(still, self._ring.stills()) if self._private else clean
        if self._private:  # first, so that whoever finds a snapshot after a crash knows by it that no face is shown
            self._write(order, "original", "original.jpg", still, lambda: still.jpeg)
        self._write(order, "snapshot", "snapshot.jpg", still, partial(_jpeg, shown))
        self._write(order, "annotated", "annotated.jpg", still, partial(self._annotated, shown, still))

    def _annotated(self, picture: Picture, still: Still) -> bytes:
        if still.judgement is None:
            return _jpeg(picture)
        return annotate(picture, still.judgement, self._options.zones.values(), self._options.lines)

    def _write(self, order: Order, kind: str, name: str, still: Still, content: Callable[[], bytes]) -> None:
        def write() -> float:
            write_file(order.folder / name, content())
            return 0.0

        self._attempt(order, kind, name, still, write)

    def _keep_clips(self, order: Order) -> None:
        first_s, last_s = order.at_s - self._options.clip_before, order.at_s + self._options.clip_after
        stills = self._ring.between(first_s, last_s)
        if not stills:
            self._tell(Kept(order.id, "clip", reason="the camera gave no picture in that time", last=True))
            return
        around = self._ring.between(first_s - 1.0, last_s + 1.0)
        if self._private:
            self._clip(order, "original-clip", stills, (each.picture() for each in stills))
            self._clip(order, "clip", stills, (blurred(each, around) for each in stills), last=True)
        else:
            self._clip(order, "clip", stills, (each.picture() for each in stills), last=True)

    def _clip(
        self, order: Order, kind: str, stills: Sequence[Still], pictures: Iterator[Picture], last: bool = False
    ) -> None:
        name, fps = f"{kind}.mp4", _pace(stills)

        def write() -> float:
            return write_clip(order.folder / name, pictures, fps) / fps

        self._attempt(order, kind, name, stills[0], write, last)

    def _attempt(
        self, order: Order, kind: str, name: str, still: Still, write: Callable[[], float], last: bool = False
    ) -> None:
        """Write, and tell how it went: whatever the disk does costs this file only."""
        try:
            seconds = write()
            octets, digest = fingerprint(order.folder / name)
        except (OSError, cv2.error) as error:
            self._tell(Kept(order.id, kind, reason=str(error), last=last))
            return
        media_type = "video/mp4" if name.endswith(".mp4") else "image/jpeg"
        is_blurred = self._private and not kind.startswith("original")
        found = (media_type, octets, digest, still.taken_s, round(seconds, 2), is_blurred, self._model)
        self._tell(Kept(order.id, kind, name, *found, last=last))


def _jpeg(picture: Picture) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _pace(stills: Sequence[Still]) -> float:
    """Return the pictures per second that make the clip as long as what it shows."""
    span_s = stills[-1].taken_s - stills[0].taken_s
    return min(max((len(stills) - 1) / span_s, 0.2), 30.0) if span_s > 0 else PICTURES_PER_S
