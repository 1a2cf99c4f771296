"""What can be wrong with a camera's pictures, and what it does to the facts. Free of numpy and OpenCV."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class PictureFault(StrEnum):
    """What is wrong; each is a point of the camera, ``<camera>.<fault>``, and an alarm of that name."""

    BLACK = "black"
    COVERED = "covered"
    BLURRED = "blurred"
    FROZEN = "frozen"
    MOVED = "moved"
    DARK = "dark"
    SLOW = "slow"


class Effect(StrEnum):
    """What a fault does to the facts of its camera."""

    BLIND = "blind"
    """Every fact is unknown, and nothing is judged."""
    ZONES = "zones"
    """The facts of a camera with zones are unknown: the zones lie elsewhere. Without zones as DEGRADE."""
    DEGRADE = "degrade"
    """The facts stay; only its own alarm tells."""
    IGNORE = "ignore"
    """Nobody looks for it, and it has no point."""


_FIXED: Mapping[PictureFault, Effect] = {
    PictureFault.BLACK: Effect.BLIND,
    PictureFault.COVERED: Effect.BLIND,
    PictureFault.BLURRED: Effect.BLIND,
    PictureFault.FROZEN: Effect.BLIND,
    PictureFault.MOVED: Effect.ZONES,
    PictureFault.DARK: Effect.DEGRADE,
    PictureFault.SLOW: Effect.DEGRADE,
}
_MOVING: Mapping[PictureFault, Effect] = {
    **_FIXED,
    PictureFault.COVERED: Effect.IGNORE,  # the sky, or water, is as flat as a cloth
    PictureFault.BLURRED: Effect.IGNORE,  # no two scenes are equally sharp
    PictureFault.MOVED: Effect.IGNORE,
}
WORDS: Mapping[PictureFault, str] = {
    PictureFault.BLACK: "the picture is black",
    PictureFault.COVERED: "the lens is covered: the picture shows one colour",
    PictureFault.BLURRED: "the picture is blurred, against what this camera showed before",
    PictureFault.FROZEN: "the picture is frozen",
    PictureFault.MOVED: "the camera looks elsewhere than it did; turn it back, or accept the new view",
    PictureFault.DARK: "the picture is too dark",
    PictureFault.SLOW: "fewer than half of the pictures asked for are seen",
}


def effects_of(moving: bool, wanted: Mapping[PictureFault, Effect]) -> dict[PictureFault, Effect]:
    """Return what each fault does; ``wanted`` is what the site says otherwise."""
    return {**(_MOVING if moving else _FIXED), **wanted}
