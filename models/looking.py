"""How a camera's picture is looked at: cut, left out where it is like the last one, and given to the networks.

Worker only. Not for use from several threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.capture import Frame
from models.cropping import Crop
from models.detection import Box, Detection
from models.gate import Gate, Look, cells_of, may_gate
from models.inference import Vision
from models.lookalikes import Lookalikes
from models.options import CameraOptions
from models.scene import Scene
from models.thrift import Thrift


class Looker:
    """For each picture ``cut`` and ``newest``; then, if that was a look at it, ``learn``.

    ``options`` are the camera's as ``site.yaml`` has them. ``inferred`` and ``gated`` count the pictures that were
    looked at, and those that were like the last one looked at. ``empty`` tells that nobody was believed in that one.
    """

    def __init__(self, options: CameraOptions, vision: Vision, scene: Scene) -> None:
        self._vision, self._scene = vision, scene
        self._crop = Crop(*options.part) if options.part is not None else None
        gated = options.gate == "auto" and may_gate(vision.offers, options.watched.values())
        self._gate = Gate(vision.sure) if gated else None
        self._thrift = Thrift() if options.gate == "auto" else None
        self._lookalikes = Lookalikes(vision.sure)
        self.inferred = self.gated = 0
        self.empty = True

    def cut(self, frame: Frame) -> Frame:
        """Return the part of the picture that is looked at."""
        return frame if self._crop is None else replace(frame, picture=self._crop.cut(frame.picture))

    def newest(self, frame: Frame) -> tuple[Look, bool]:
        """Return a look at the picture and True; where it is like the last one looked at, that look. See ModelFault."""
        size = (frame.picture.shape[0], frame.picture.shape[1])
        cells = cells_of(frame.picture)
        if self._gate is not None:
            last = self._gate.stands_for(cells, size, frame.taken_s)
            if last is not None:
                self.gated += 1
                return last, False
        found = self._look(frame)
        self.inferred += 1
        look = Look(cells, size, frame.taken_s, found)
        return replace(look, parts=self._lookalikes.among(look)), True

    def learn(self, look: Look, calm: bool) -> None:
        """Remember a look for the pictures to come; ``calm`` tells that the scene waits for nothing."""
        self.empty = all(item.score < self._vision.sure for item in look.found)
        self._lookalikes.learn(look, self._scene.expected(look.at_s).values())
        if self._thrift is not None:
            self._thrift.learn(self._scene.seen(look.at_s), look.at_s)
        if self._gate is not None:
            self._gate.looked(look, calm, self._scene.doubted)

    def forget(self) -> None:
        """Look at the next picture, whatever it shows: what was found last does not hold any more."""
        if self._gate is not None:
            self._gate.forget()
        if self._thrift is not None:
            self._thrift = Thrift()

    def _look(self, frame: Frame) -> Sequence[Detection]:
        """Have the networks say what is in a picture. Raises ModelFault."""
        height, width = frame.picture.shape[:2]
        thrift, now_s = self._thrift, frame.taken_s
        if thrift is not None:
            thrift.expect(self._scene.expected(now_s))

        def wanted(box: Box) -> bool:
            return self._scene.is_watched(box, width, height) and (thrift is None or thrift.must_judge(box, now_s))

        found = self._vision.look(frame.picture, wanted)
        return found if thrift is None else thrift.complete(found)
