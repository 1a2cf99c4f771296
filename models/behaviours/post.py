"""Absence from a post. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.behaviours.base import Fact, Facts, View


@dataclass(slots=True)
class PostState:
    """``absent_s`` is how long nobody is there, ``last_s`` when that was last looked at, both in watched seconds.

    ``doubted`` are the tracks of those who may still be there, though nothing shows them any more.
    """

    absent_s: float = 0.0
    last_s: float | None = None
    seen: bool = False
    doubted: list[int] = field(default_factory=list)


class Post:
    """Counts how long nobody is there, in watched time: nothing is counted while the camera is blind."""

    def __init__(self) -> None:
        self.state = PostState()

    def observe(self, view: View) -> Facts:
        """Return ``absent_for`` in seconds, 0 while somebody is there.

        While somebody may be there, hidden by another or with legs that something hides, it stands still and is
        unsure. It is unsure, too, until somebody was seen there, for the absence may have begun before the camera did,
        and after somebody of whom not all was to be seen there was lost: the furniture may hide all of them now. So it
        is while all who are there may be things.
        """
        state = self.state
        here = [track for track in view.people if track in view.here]
        hidden = [track for track in view.people if track.hidden and track.seen_s == view.now_s]
        perhaps = [*hidden, *(track for track in view.perhaps if track.confirmed)]
        passed_s = 0.0 if state.last_s is None else view.watched_s - state.last_s
        state.last_s, state.seen = view.watched_s, state.seen or bool(here or perhaps)
        if here:
            state.absent_s = 0.0
        elif not perhaps:
            state.absent_s += passed_s
        partly = {track.id for track in (*here, *perhaps) if not view.is_clear(track) or track.hidden_px}
        known = {track.id for track in view.tracks if track.seen_s == view.now_s}
        is_whole = any(track.id not in partly for track in here)
        state.doubted = sorted(partly if is_whole else partly | (set(state.doubted) - known))
        sure = any(not track.is_doubted for track in here) if here else state.seen and not state.doubted
        return {"absent_for": Fact(round(state.absent_s, 1), sure)}
