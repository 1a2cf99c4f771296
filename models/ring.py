"""The last seconds of a camera, in memory as JPEG: what an alarm's evidence is made of. Lives in the worker only."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from models.detection import Box
from models.privacy import pixelate, pixelate_all
from models.scene import Judgement

Picture = npt.NDArray[np.uint8]
WIDEST_PX = 640
PICTURES_PER_S = 5.0
MOST_BYTES = 16 << 20
QUALITY = 80
NEIGHBOURS_S = 0.7
"""Whoever was seen so shortly before or after is taken to be there, too: one missed picture shows no face."""


@dataclass(frozen=True, slots=True)
class Still:
    """One picture. Boxes are pixels of the JPEG; ``heads`` is None when nobody was looked for in it.

    ``taken_s`` is when it was grabbed, ``known_s`` when it was judged (both monotonic).
    """

    taken_s: float
    known_s: float
    jpeg: bytes
    heads: tuple[Box, ...] | None = None
    judgement: Judgement | None = None

    def picture(self) -> Picture:
        """Return its pixels, BGR."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


class Ring:
    """Keeps ``span_s`` seconds and MOST_BYTES at most; one thread puts, others look."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._stills: deque[Still] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def is_due(self, taken_s: float) -> bool:
        """Tell whether a picture taken then is wanted."""
        return not self._stills or taken_s - self._stills[-1].taken_s >= 0.9 / PICTURES_PER_S

    def put(
        self,
        picture: Picture,
        taken_s: float,
        known_s: float,
        faces: Iterable[Box] | None,
        judgement: Judgement | None,
    ) -> None:
        """Take a picture, with every place where a face may be (None: nobody was looked for)."""
        zoom = min(1.0, WIDEST_PX / picture.shape[1])
        small = picture if zoom == 1 else cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        jpeg = bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
        heads = None if faces is None else tuple(_scaled(box, zoom) for box in faces)
        still = Still(taken_s, known_s, jpeg, heads, _smaller(judgement, zoom) if judgement else None)
        with self._lock:
            self._stills.append(still)
            self._bytes += len(jpeg)
            while self._bytes > MOST_BYTES or self._stills[0].taken_s < taken_s - self._span_s:
                self._bytes -= len(self._stills.popleft().jpeg)

    def decisive(self, at_s: float) -> Still | None:
        """Return the newest picture that was judged before ``at_s``; where there is none, the newest from before it."""
        before = [still for still in self.stills() if still.known_s <= at_s]
        judged = [still for still in before if still.judgement is not None and still.taken_s > at_s - 5.0]
        found = judged or before
        return found[-1] if found else None

    def between(self, first_s: float, last_s: float) -> list[Still]:
        """Return the pictures taken in that time, oldest first."""
        return [still for still in self.stills() if first_s <= still.taken_s <= last_s]

    def stills(self) -> list[Still]:
        """Return every picture, oldest first."""
        with self._lock:
            return list(self._stills)


def blurred(still: Still, around: Sequence[Still]) -> Picture:
    """Return a picture with every head pixelated that it, or one shortly before or after, may show.

    Where nobody was looked for, before and after included, all of it is pixelated.
    """
    near = [each for each in around if abs(each.taken_s - still.taken_s) <= NEIGHBOURS_S]
    if still.heads is None and not any(each.heads is not None for each in near):
        return pixelate_all(still.picture())
    heads = {head for each in (still, *near) for head in each.heads or ()}
    return pixelate(still.picture(), heads)


def _scaled(box: Box, zoom: float) -> Box:
    return Box(box.left * zoom, box.top * zoom, box.right * zoom, box.bottom * zoom)


def _smaller(judgement: Judgement, zoom: float) -> Judgement:
    return replace(judgement, seen=tuple(replace(seen, box=_scaled(seen.box, zoom)) for seen in judgement.seen))
