"""What ``site.yaml`` may say of an OPC UA server's points."""

from __future__ import annotations

import re
from collections.abc import Hashable, Set
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agent.core.durations import Duration
from agent.core.options import Options, PointOptions
from drivers.scaling import conversion_fault

_NODE = re.compile(r"((nsu=[^;]+|ns=\d+);)?(i=\d+|s=.+|g=[0-9A-Fa-f-]{36}|b=.+)")
_MOST = {
    "namespace index": (re.compile(r"ns=(\d+);.*"), 2**16 - 1),
    "number": (re.compile(r"(?:ns\w*=[^;]+;)?i=(\d+)"), 2**32 - 1),
}
"""What a node id has room for; one that cannot be sent would cost the whole request, not only its point."""
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_FIELD = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a node id; write nsu=NAMESPACE-URI;s=NAME (or i=NUMBER), or ns=INDEX;s=NAME"
        )
    for name, (pattern, most) in _MOST.items():
        match = pattern.fullmatch(value)
        if match and int(match[1]) > most:
            raise ValueError(f"{value!r} is not a node id; its {name} is at most {most}")
    return value


def _path(value: str) -> str:
    if "*" in value:
        raise ValueError(f"{value!r} may be many nodes, and a point is one; 'anshao browse' lists them for site.yaml")
    if not value.strip("/"):
        raise ValueError("'path' is empty; write Objects/2:Boiler/2:Level, or nsu=NAMESPACE-URI:Boiler for 2:Boiler")
    return value


def _deadband(value: object) -> object:
    match = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    return {"percent": match[1]} if match else value


class Percent(Options):
    """A share of the range that the server gives for the node (its EURange)."""

    percent: float = Field(gt=0, le=100)


Deadband = Annotated[float | Percent, BeforeValidator(_deadband)]


class OpcUaPoint(PointOptions):
    """One variable, one element of an array, one field of a structure, or one condition.

    Prefer namespaces by URI: their index may change when the server restarts.
    """

    node: Annotated[str, AfterValidator(_node)] = ""
    path: Annotated[str, AfterValidator(_path)] = Field(default="", description="browse names from the root on")
    element: Annotated[int, Field(ge=0)] | tuple[Annotated[int, Field(ge=0)], ...] | None = None
    field: str = Field(default="", pattern=f"^({_FIELD})?$", description="of a structure, such as Status.Speed")
    mode: Literal["subscribe", "poll"] | None = Field(default=None, description="instead of the device's")
    sampling: Duration | None = Field(default=None, ge=0, description="instead of the device's")
    queue: int | None = Field(default=None, ge=1, description="instead of the device's")
    deadband: Deadband | None = Field(default=None, description="changes up to this are not sent; 5% of the range")
    trigger: Literal["status", "value", "timestamp"] = "value"
    condition: str = Field(default="", description="a condition of the server, as SOURCE/CONDITION; true while active")

    @property
    def indexes(self) -> tuple[int, ...]:
        """The element, as one index for each dimension."""
        return (self.element,) if isinstance(self.element, int) else self.element or ()

    def places(self) -> Set[Hashable]:
        """Return its node; elements of one array count as one place."""
        return {self.node or self.path}

    @model_validator(mode="after")
    def _is_whole(self) -> OpcUaPoint:
        if fault := self._place_fault() or conversion_fault(self):
            raise ValueError(fault)
        return self

    def _place_fault(self) -> str:
        if sum(map(bool, (self.node, self.path, self.condition))) != 1:
            return "say where it is: one of 'node', 'path' and 'condition'"
        if self.condition and (self.writable or self.field or self.element is not None):
            return "a condition is true or false; leave 'writable', 'field' and 'element' out"
        if self.writable and self.field:
            return "a field of a structure cannot be written; write a variable of its own"
        if self.deadband is not None and self.trigger == "status":
            return "'deadband' is about values; leave 'trigger: status' out"
        return ""
