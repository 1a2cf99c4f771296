"""All that may be wrong with one camera's pictures. Worker only; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.trust.faults import Effect, PictureFault
from models.trust.frozen import FrozenWatch
from models.trust.hold import Hold
from models.trust.look import Look, Picture, look_at
from models.trust.pace import PaceWatch
from models.trust.sharpness import SharpnessWatch
from models.trust.view import ViewWatch

BLACK_S, COVERED_S, DARK_S = 5.0, 5.0, 60.0
EVERY_S = 0.5
PEOPLED_S = 300.0
"""With people before the camera for so long, its view is judged all the same: it may be turned away from here."""
SAVE_EVERY_S = 3600.0


class TrustWatch:
    """Give it every picture before it is judged. ``changed`` tells that what it remembers is worth saving."""

    def __init__(
        self, effects: Mapping[PictureFault, Effect], asked: float, saved: Mapping[str, Any] | None = None
    ) -> None:
        self._looked_for = frozenset(fault for fault, effect in effects.items() if effect is not Effect.IGNORE)
        self._frozen, self._pace = FrozenWatch(), PaceWatch(asked)
        self._black, self._covered, self._dark = Hold(BLACK_S), Hold(COVERED_S), Hold(DARK_S, 5.0)
        self._blurred = self._stands = False
        self._looked_s: float | None = None
        self._saved_s: float | None = None
        self._empty_s: float | None = None
        self.changed = False
        self._recall(saved)

    def _recall(self, saved: Mapping[str, Any] | None) -> None:
        saved = saved or {}
        self._sharpness, self._view = SharpnessWatch(saved.get("sharpness")), ViewWatch(saved.get("view"))

    def see(self, picture: Picture, now_s: float, empty: bool) -> frozenset[PictureFault]:
        """Return what is wrong with the picture taken at ``now_s`` (monotonic); ``empty``: nobody is before it."""
        slow = self._pace.is_slow(now_s)
        if self._looked_s is None or now_s - self._looked_s >= EVERY_S:
            self._looked_s = now_s
            self._stands = self._frozen.is_frozen(picture, now_s)
            if empty or self._empty_s is None:
                self._empty_s = now_s
            self._look(look_at(picture), now_s, empty or now_s - self._empty_s >= PEOPLED_S)
        found = {
            PictureFault.BLACK: self._black.is_on,
            PictureFault.COVERED: self._covered.is_on,
            PictureFault.BLURRED: self._blurred,
            PictureFault.FROZEN: self._stands and not self._black.is_on,
            PictureFault.MOVED: self._view.is_moved,
            PictureFault.DARK: self._dark.is_on,
            PictureFault.SLOW: slow,
        }
        return frozenset(fault for fault, there in found.items() if there) & self._looked_for

    def _look(self, look: Look, now_s: float, empty: bool) -> None:
        self._black.see(look.is_black, now_s)
        self._covered.see(look.is_flat, now_s)
        self._dark.see(look.is_dark and not look.is_black, now_s)
        if look.is_black or look.is_flat or self._stands:
            return  # such a picture says nothing of focus and view
        if PictureFault.BLURRED in self._looked_for:
            self._blurred = self._sharpness.is_blurred(look.sharpness, look.is_night, now_s)
        if PictureFault.MOVED in self._looked_for and empty and not look.is_dark and not self._blurred:
            self.changed |= self._view.see(look.grey, look.is_night, now_s)
        if self._saved_s is None:
            self._saved_s = now_s
        if now_s - self._saved_s >= SAVE_EVERY_S:
            self._saved_s, self.changed = now_s, True

    def ask(self, pace: float) -> None:
        """Take that pace, in pictures a second, for the one that is asked for."""
        self._pace.ask(pace)

    def accept(self) -> None:
        """Forget how this place looked: what is seen now is right."""
        self._recall(None)
        self._blurred, self.changed = False, True

    def saved(self) -> dict[str, Any]:
        """Return what it remembers, for JSON."""
        self.changed = False
        return {"sharpness": self._sharpness.saved(), "view": self._view.saved()}
