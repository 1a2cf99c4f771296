"""A small part of JSONPath (RFC 9535): names and indexes, no filters. ``$.a.b[0]['c d']``. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_STEP = re.compile(r"""\.([^.\[\]'"\s]+)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""")
Step = str | int


@cache
def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path; empty is the whole. Raises ValueError for what is no path."""
    if not text:
        return ()
    steps: list[Step] = []
    at = 1 if text.startswith("$") else 0
    rest = text if at else f".{text}"
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None:
            raise ValueError(f"{text!r} is not a path; write $.name, $.list[0] or $['odd name']")
        name, index, *quoted = match.groups()
        steps.append(int(index) if index is not None else next(n for n in (name, *quoted) if n is not None))
        at = match.end()
    return tuple(steps)


def follow(data: Any, path: str) -> Any:
    """Return what lies at ``path``. Raises LookupError when there is nothing."""
    for step in parse_path(path):
        if isinstance(step, int) and not isinstance(data, list):
            raise LookupError(f"no list at {path}")
        if isinstance(step, str) and not isinstance(data, dict):
            raise LookupError(f"nothing at {path}")
        try:
            data = data[step]
        except (KeyError, IndexError):
            raise LookupError(f"nothing at {path}") from None
    return data
