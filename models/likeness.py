"""Whether an engine sees what the safe one sees, and how fast. Short-lived processes only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from models.bundle import Bundle
from models.detection import Detection, Wearing
from models.engines import SAFE, Engine, Tried
from models.feeding import Picture
from models.geometry import iou
from models.inference import Vision, golden_faults
from models.providers import Provider
from models.running import ModelFault

ROUNDS = 3
BUDGET_S = 8.0
"""After that nobody looks at one more picture: on a slow PC, or a busy one, fewer must do."""
_SAME_PLACE = 0.6
_OPPOSITE = {frozenset((Wearing.MISSING, Wearing.WORN))}


@dataclass
class Looks:
    """What an engine saw, picture by picture, and what each look took: of a processor's time, or of all time."""

    seen: list[list[Detection]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


def pictures(bundle: Bundle) -> list[Picture]:
    """Return the golden pictures, then each of them mirrored, darker, paler and from further away."""
    found = [np.asarray(cv2.imread(str(bundle.path(case.picture))), np.uint8) for case in bundle.manifest.golden]
    changed = zip(*(_changed(picture) for picture in found), strict=True)
    return [*found, *(picture for kind in changed for picture in kind)]


def _changed(picture: Picture) -> Iterator[Picture]:
    yield np.ascontiguousarray(picture[:, ::-1])
    yield np.asarray(cv2.convertScaleAbs(picture, alpha=0.55), np.uint8)
    yield np.asarray(cv2.convertScaleAbs(picture, alpha=0.8, beta=50), np.uint8)
    small = cv2.resize(picture, None, fx=0.75, fy=0.75)
    rest = (picture.shape[0] - small.shape[0], picture.shape[1] - small.shape[1])
    edges = (rest[0] // 2, rest[0] - rest[0] // 2, rest[1] // 2, rest[1] - rest[1] // 2)
    yield np.asarray(cv2.copyMakeBorder(small, *edges, cv2.BORDER_REFLECT), np.uint8)


def compare(bundle: Bundle, safe: Vision, others: Sequence[Engine], load: Callable[[Engine], Vision]) -> list[Tried]:
    """Try engines beside the safe one, which is loaded; ``load`` may raise whatever a runtime raises."""
    loaded: dict[Engine, Vision] = {SAFE: safe}
    failed: list[Tried] = []
    for engine in others:
        fault = _loaded(bundle, engine, load, loaded)
        if fault:
            failed.append(Tried(engine, fault=fault))
    looks = _looks(loaded, pictures(bundle))
    tried = [
        Tried(engine, round(_quick(look.ms), 2), likeness(looks[SAFE].seen, look.seen, safe.sure))
        for engine, look in looks.items()
    ]
    return [*tried, *failed]


def _loaded(bundle: Bundle, engine: Engine, load: Callable[[Engine], Vision], loaded: dict[Engine, Vision]) -> str:
    """Load an engine and run the golden cases; return in words why it is not fit."""
    try:
        vision = load(engine)
        faults = golden_faults(bundle, vision)
    except (RuntimeError, ModelFault) as error:
        return str(error)
    if faults:
        return f"it does not give the golden answers: {'; '.join(faults)}"
    loaded[engine] = vision
    return ""


def _looks(loaded: Mapping[Engine, Vision], shown: Sequence[Picture]) -> dict[Engine, Looks]:
    """Let all look at the same pictures in turn, for a while: what else the machine does costs all of them alike."""
    clock = time.process_time if all(each.provider is Provider.CPU for each in loaded) else time.perf_counter
    looks = {engine: Looks() for engine in loaded}
    until_s = time.monotonic() + BUDGET_S
    for picture in [*shown] * ROUNDS:
        if time.monotonic() > until_s:
            break
        for engine, vision in loaded.items():
            began = clock()
            looks[engine].seen.append(vision.look(picture))
            looks[engine].ms.append(1000 * (clock() - began))
    return looks


def _quick(times_ms: Sequence[float]) -> float:
    """Return the lower quartile: what a look takes when nothing disturbs it."""
    return sorted(times_ms)[len(times_ms) // 4]


def likeness(safe: Sequence[Sequence[Detection]], other: Sequence[Sequence[Detection]], sure: float) -> float:
    """Return the share of what either is sure of that the other sees, too, and judges no other way; 1 for nothing."""
    pairs = [
        (item, theirs)
        for mine, theirs in zip((*safe, *other), (*other, *safe), strict=True)
        for item in mine
        if item.score >= sure
    ]
    return sum(_seen(item, theirs) for item, theirs in pairs) / len(pairs) if pairs else 1.0


def _seen(item: Detection, theirs: Sequence[Detection]) -> bool:
    same = [each for each in theirs if each.thing is item.thing and iou(each.box, item.box) >= _SAME_PLACE]
    return any(
        not any(frozenset((item.wears(gear), each.wears(gear))) in _OPPOSITE for gear in {*item.gear, *each.gear})
        for each in same
    )
