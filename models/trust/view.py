"""Whether a camera still looks where it did when its zones were drawn. Worker only; time is an argument."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.trust.hold import Hold
from models.trust.look import Edges, Picture, edges_of, share_found

EVERY_S = 2.0
HOLD_S, BACK_S = 30.0, 5.0
LEARN_FROM = 10
"""Pictures without people, two seconds apart, that a reference is made of."""
_STEADY = 0.6
_LOST, _FOUND = 0.5, 0.65
"""A turn by a tenth of the view leaves about 0.45; one by a twentieth 0.6, which no zone minds."""
_LEAST_EDGES = 150
"""Of 14,400 pixels: a view with fewer cannot be told from another."""
_SHAPE = (90, 160)


class ViewWatch:
    """A reference by day and one by night, each learnt once and kept until somebody accepts another view.

    While the camera is moved it learns nothing: it must not take the new view for the night's old one.
    """

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        saved = saved or {}
        self._references = {light: _unpack(text) for light, text in saved.get("references", {}).items()}
        self._moved = Hold(HOLD_S, BACK_S, bool(saved.get("moved", False)))
        self._learning: dict[str, list[Edges]] = {}
        self._looked_s: float | None = None

    @property
    def is_moved(self) -> bool:
        """Whether it looks elsewhere, as far as is known."""
        return self._moved.is_on

    @property
    def is_known(self) -> bool:
        """Whether there is a reference."""
        return bool(self._references)

    def see(self, grey: Picture, is_night: bool, now_s: float) -> bool:
        """Take up a picture without people taken at ``now_s`` (monotonic); True when the reference is new or moved."""
        if self._looked_s is not None and now_s - self._looked_s < EVERY_S:
            return False
        self._looked_s = now_s
        light, edges = "night" if is_night else "day", edges_of(grey)
        reference = self._references.get(light)
        if reference is None:
            return not self.is_moved and self._learn(light, edges)
        before, share = self.is_moved, share_found(reference, edges)
        self._moved.see(share < (_FOUND if before else _LOST), now_s)
        return self.is_moved is not before

    def saved(self) -> dict[str, Any]:
        """Return the references and whether it is moved, for JSON."""
        return {
            "references": {light: _pack(edges) for light, edges in self._references.items()},
            "moved": self.is_moved,
        }

    def _learn(self, light: str, edges: Edges) -> bool:
        seen = self._learning.setdefault(light, [])
        seen.append(edges)
        if len(seen) < LEARN_FROM:
            return False
        del self._learning[light]
        steady = np.mean(seen, axis=0) >= _STEADY
        if steady.sum() < _LEAST_EDGES:
            return False
        self._references[light] = np.asarray(steady)
        return True


def _pack(edges: Edges) -> str:
    return base64.b64encode(np.packbits(edges).tobytes()).decode()


def _unpack(text: str) -> Edges:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=_SHAPE[0] * _SHAPE[1])
    return bits.reshape(_SHAPE).astype(np.bool_)
