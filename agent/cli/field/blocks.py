"""Lines of YAML for a site's file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def point_line(name: str, options: Mapping[str, object]) -> str:
    """Return ``name: {key: value}``."""
    return f"{name}: {flow(options)}"


def flow(value: object) -> str:
    """Return a value in YAML's flow style, quoted where it would be taken for something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
