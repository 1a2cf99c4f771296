"""Absence from a post."""

from __future__ import annotations

from models.behaviours.base import Facts, View


class Post:
    """Counts how long nobody is there, in watched time: nothing is counted while the camera is blind."""

    def __init__(self) -> None:
        self._manned_s: float | None = None
        self._seen = False

    def observe(self, view: View) -> Facts:
        """Return ``absent_for`` in seconds, 0 while somebody is there."""
        if view.people:
            self._manned_s, self._seen = view.watched_s, True
        if self._manned_s is None:
            self._manned_s = view.watched_s
        return {"absent_for": round(view.watched_s - self._manned_s, 1)}

    def is_sure(self, view: View) -> bool:
        """Until somebody was seen, the absence may have begun before the camera did."""
        del view
        return self._seen
