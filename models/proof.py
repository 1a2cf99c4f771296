"""A golden picture, judged as if the camera had taken it: the proof that what it shows would be seen. Worker only."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from models.bundle import Bundle, GoldenCase
from models.detection import Wearing
from models.inference import Vision
from models.places import ZoneOptions
from models.scene import Judgement, Scene

LOOKS = 8
"""As many as it takes to follow a person, see it enter, and vote on what it wears."""
_STEP_S = 0.2
_WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


class Proof:
    """Has a scene of its own, so that nobody who is before the camera is forgotten or made up.

    Its zones demand what the camera's demand, and each fills the whole picture: where the golden picture's
    people stand says nothing of this place.
    """

    def __init__(self, bundle: Bundle, vision: Vision, zones: Mapping[str, ZoneOptions]) -> None:
        case = max(bundle.manifest.golden, key=_hazards)
        picture = cv2.imread(str(bundle.path(case.picture)))
        if picture is None:
            raise ValueError(f"{case.picture} is not a picture")
        self.name = case.picture
        self._picture, self._vision = np.asarray(picture, np.uint8), vision
        whole = {name: zone.model_copy(update={"polygon": _WHOLE}) for name, zone in zones.items()}
        self._scene, self._looks = Scene(whole, vision.sure), 0
        self.seen: Judgement

    def look(self) -> bool:
        """Judge the picture once more; True when that was enough."""
        height, width = self._picture.shape[:2]
        found = self._vision.look(self._picture)
        self._looks += 1
        self.seen = self._scene.judge(found, width, height, self._looks * _STEP_S)
        return self._looks >= LOOKS


def _hazards(case: GoldenCase) -> int:
    return sum(list(person.gear.values()).count(Wearing.MISSING) for person in case.persons)
