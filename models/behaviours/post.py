"""Absence from a post. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from models.behaviours.base import Fact, Facts, View


@dataclass(slots=True)
class PostState:
    """``manned_s`` is when somebody was last there, in watched seconds; None before the first picture."""

    manned_s: float | None = None
    seen: bool = False
    hidden: bool = False


class Post:
    """Counts how long nobody is there, in watched time: nothing is counted while the camera is blind."""

    def __init__(self) -> None:
        self.state = PostState()

    def observe(self, view: View) -> Facts:
        """Return ``absent_for`` in seconds, 0 while somebody is there.

        It is unsure until somebody was seen there, for the absence may have begun before the camera did, and while
        whoever was there last was hidden by another when they were lost.
        """
        state = self.state
        here = [track for track in view.people if track in view.here]
        hidden = [track for track in view.people if track.hidden and track.seen_s == view.now_s]
        if here or hidden:
            state.manned_s, state.seen, state.hidden = view.watched_s, True, not here
        if state.manned_s is None:
            state.manned_s = view.watched_s
        return {"absent_for": Fact(round(view.watched_s - state.manned_s, 1), state.seen and not state.hidden)}
