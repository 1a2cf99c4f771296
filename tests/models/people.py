"""People made up for a scene: boxes at given places and times, no pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.detection import Box, Detection
from models.scene import Judgement, Scene

WIDTH, HEIGHT = 640, 480
TALL = 100.0


def standing(x: float, feet: float = 300.0, tall: float = TALL) -> Detection:
    """Return a person ``tall`` pixels high whose feet stand at (x, feet)."""
    return Detection(Box(x - tall / 6, feet - tall, x + tall / 6, feet), 0.9)


Play = Callable[[float], Sequence[Detection]]
"""What there is to see at a time in seconds."""


def watch(scene: Scene, play: Play, fps: float, until_s: float, start_s: float = 0.0) -> list[tuple[float, Judgement]]:
    """Let a scene see ``fps`` pictures a second; return when each was taken and what it was judged to show."""
    times = [start_s + number / fps for number in range(int((until_s - start_s) * fps) + 1)]
    return [(at_s, scene.judge(play(at_s), WIDTH, HEIGHT, at_s)) for at_s in times]
