"""Which layout a network has: what is declared, then its metadata, then shapes, then values. Never a guess.

Worker and short-lived processes only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.layouts import LAYOUTS, Frame, Layout, Outputs

_USUAL: dict[str, Any] = {"colour": "rgb", "divisor": 255.0, "fit": "centre"}
_STRETCHED: dict[str, Any] = {**_USUAL, "fit": "stretch"}
TAKES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("yolo_v8", "yolo_v5", "yolo_e2e", "yolo_nas"), _USUAL),
    **dict.fromkeys(("detr_norm", "detr_scores", "dfine"), _STRETCHED),
    "yolox": {},
    "boxes_corners": {},
    "boxes_centre": {},
    "rfdetr": {**_STRETCHED, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "nanodet": {"fit": "stretch", "mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395)},
    "ssd": {"fit": "stretch", "colour": "rgb", "mean": (127.0,) * 3, "std": (128.0,) * 3},
    "ssd_nms": {"fit": "stretch", "colour": "rgb"},
    "classify": {**_USUAL, "fit": "crop"},
}
"""What networks of a layout are usually fed; a manifest may say otherwise."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A layout and what told it: declared, metadata, shapes or values."""

    layout: str
    by: str


def resolve(
    declared: str,
    told: Sequence[str],
    inputs: int,
    frame: Frame,
    answers: Callable[[str], list[Outputs]],
) -> Decision:
    """Decide. ``answers`` gives the outputs of a dry run when fed as a layout wants. Raises ValueError, in words."""
    named = (declared,) if declared else tuple(told)
    pool = [LAYOUTS[name] for name in named] or list(LAYOUTS.values())
    fitting = [item for item in pool if item.inputs == inputs and _fits(item, frame, answers)]
    if not fitting:
        raise ValueError(_no_layout(named, inputs, frame, answers))
    if declared:
        return Decision(declared, "declared")
    if len(named) == 1:
        return Decision(fitting[0].name, "metadata")
    likely = [item for item in fitting if all(item.likely(outputs, frame) for outputs in answers(item.name))]
    if len(likely) == 1:
        return Decision(likely[0].name, "shapes" if len(fitting) == 1 else "values")
    raise ValueError(_two_readings(likely or fitting))


def _fits(layout: Layout, frame: Frame, answers: Callable[[str], list[Outputs]]) -> bool:
    return all(layout.fits(outputs, frame) for outputs in answers(layout.name))


def _no_layout(named: Sequence[str], inputs: int, frame: Frame, answers: Callable[[str], list[Outputs]]) -> str:
    (outputs, *_) = answers(named[0] if named else "yolo_v8")
    shapes = " and ".join(str(list(output.shape)) for output in outputs)
    wanted = "; ".join(f"{name}: {LAYOUTS[name].says}" for name in named) or "no known layout gives that"
    return f"has {inputs} input(s) and gives {shapes} with {frame.classes} classes, but {wanted}"


def _two_readings(found: Sequence[Layout]) -> str:
    readings = " or ".join(f"{item.name} ({item.says})" for item in found)
    if len(found) == 1:
        return f"has the shapes of {readings}, but not its values; say --layout {found[0].name} if it is right"
    return f"can be read as {readings}; say which with --layout"
