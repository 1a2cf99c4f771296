"""What an exporter wrote into its file: names, size, task, and by that which layout. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 64 * 1024
MOST_CLASSES = 2000
_DETECTIONS = ("yolo_v8", "yolo_e2e", "detr_norm", "detr_scores")


@dataclass(frozen=True, slots=True)
class Told:
    """``layouts`` are those that the metadata leave open; none when they say nothing. ``size`` is width, height."""

    names: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    layouts: tuple[str, ...] = ()
    licence: str = ""


def told_by(metadata: Mapping[str, str]) -> Told:
    """Read an exporter's metadata. Raises ValueError, in words, when they make no sense or name another task."""
    task = metadata.get("task", "")
    if task not in ("", "detect", "classify"):
        raise ValueError(f"is a network for the task {task!r}; take one that detects or classifies")
    return Told(
        _names(_literal(metadata, "names")),
        _size(_literal(metadata, "imgsz")),
        _layouts(metadata),
        metadata.get("license", ""),
    )


def _layouts(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """A network's name says nothing of its layout, and an old file's ``end2end`` not everything."""
    if metadata.get("task") == "classify":
        return ("classify",)
    if metadata.get("head") == "RTDETRDecoder":
        return ("detr_norm", "detr_scores")
    arguments = _literal(metadata, "args")
    if metadata.get("end2end") == "True" or (isinstance(arguments, dict) and arguments.get("nms") is True):
        return ("yolo_e2e",)
    if metadata.get("author") == "Ultralytics":
        told = metadata.get("end2end") == "False" and "head" in metadata
        return ("yolo_v8",) if told else _DETECTIONS
    return ("yolo_v5", "yolo_v8") if {"stride", "names"} <= metadata.keys() else ()


def _literal(metadata: Mapping[str, str], key: str) -> Any:
    text = metadata.get(key, "")
    if not text:
        return None
    if len(text) > LONGEST:
        raise ValueError(f"has metadata {key!r} of {len(text)} characters; at most {LONGEST} are read")
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError(f"has metadata {key!r} that cannot be read: {text[:40]!r}") from None


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict) or list(value) != list(range(len(value))) or not 0 < len(value) <= MOST_CLASSES:
        raise ValueError("has metadata 'names' that are not the labels of classes 0, 1, 2 …; give them with --labels")
    return tuple(str(name)[:100] for name in value.values())


def _size(value: Any) -> tuple[int, int] | None:
    sizes = [value, value] if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or len(sizes) != 2 or not all(isinstance(size, int) for size in sizes):
        return None
    height, width = sizes
    return (width, height) if 0 < width <= 4096 and 0 < height <= 4096 else None
