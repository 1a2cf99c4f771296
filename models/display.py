"""The live picture for people: seldom, drawn in, and without faces. Worker only."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from models.capture import Frame, Picture
from models.detection import Box, Detection
from models.drawing import annotate
from models.options import CameraOptions
from models.privacy import faces, pixelate
from models.ring import NEIGHBOURS_S
from models.scene import Judgement

PICTURES_PER_S = 2.0
"""As often as the page asks."""


class Display:
    """Draws for people; ``options`` have their places as shares of what is shown."""

    def __init__(self, options: CameraOptions) -> None:
        self._options = options
        self._pictured_s = 0.0
        self._faces: deque[tuple[float, list[Box]]] = deque()

    def drawn(self, frame: Frame, found: Sequence[Detection], judgement: Judgement) -> bytes:
        """Return a picture as JPEG, or nothing while the last one is young."""
        if frame.taken_s - self._pictured_s < 0.9 / PICTURES_PER_S:
            return b""
        self._pictured_s = frame.taken_s
        return annotate(self._shown(frame, found), judgement, self._options.zones.values(), self._options.lines)

    def _shown(self, frame: Frame, found: Sequence[Detection]) -> Picture:
        """Return what may leave the gateway: whoever is seen, or was a moment ago, has no face."""
        if self._options.privacy == "off":
            return frame.picture
        self._faces.append((frame.taken_s, list(faces(found))))
        while self._faces[0][0] < frame.taken_s - NEIGHBOURS_S:
            self._faces.popleft()
        return pixelate(frame.picture, [box for _, boxes in self._faces for box in boxes])
