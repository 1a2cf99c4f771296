"""What a rule file may say: the pydantic models of ``rules.yaml``. Samples stand in ``rules/README.md``."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from agent.core.document import suggestion
from agent.core.durations import Duration
from agent.core.model import Priority
from agent.core.options import Options

LimitName = Literal["HH", "H", "L", "LL"]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _priority(value: object) -> Priority:
    if isinstance(value, Priority):
        return value
    try:
        return Priority[str(value)]
    except KeyError:
        raise ValueError(f"{value!r} is not a priority; write P1 (most urgent), P2, P3 or P4") from None


PriorityField = Annotated[Priority, BeforeValidator(_priority)]
LANGUAGES = ("en", "zh")


def _text(value: object) -> object:
    if isinstance(value, str):
        return {"en": value}
    if isinstance(value, dict):
        for language in value:
            if language not in LANGUAGES:
                raise ValueError(f"{language!r} is not a language here{suggestion(str(language), list(LANGUAGES))}")
    return value


Text = Annotated[dict[str, str], BeforeValidator(_text)]
"""A text by language, en and zh; a plain string is taken as en."""


class RuleOptions(Options):
    """What every kind of rule has."""

    id: Identifier
    name: Text = Field(min_length=1)
    consequence: Text = Field(default_factory=dict)
    response: Text = Field(default_factory=dict)
    post: str = ""
    zone: str = ""
    latch: bool = False
    outputs: tuple[str, ...] | None = None


class LimitOptions(Options):
    """One limit of a level rule; what it leaves out, the rule says."""

    at: float
    priority: PriorityField
    on_delay: Duration | None = None
    off_delay: Duration | None = None
    deadband: float | None = Field(default=None, ge=0)
    latch: bool | None = None


class LevelOptions(RuleOptions):
    """An analogue point against up to four limits; each limit is an alarm of its own, ``<id>.<limit>``."""

    kind: Literal["level"] = "level"
    input: str
    limits: dict[LimitName, LimitOptions]
    deadband: float = Field(default=0.0, ge=0)
    on_delay: Duration = 2.0
    off_delay: Duration = 10.0

    @field_validator("limits")
    @classmethod
    def _in_order(cls, limits: dict[LimitName, LimitOptions]) -> dict[LimitName, LimitOptions]:
        if not limits:
            raise ValueError("no limit is given; give at least one of HH, H, L, LL")
        given = [(name, limits[name].at) for name in ("LL", "L", "H", "HH") if name in limits]
        for (low, low_at), (high, high_at) in pairwise(given):
            if low_at >= high_at:
                raise ValueError(f"{low} ({low_at:g}) must be below {high} ({high_at:g})")
        return limits


class ConditionOptions(RuleOptions):
    """A CEL expression over declared inputs; true is the alarm."""

    kind: Literal["condition"] = "condition"
    inputs: dict[Variable, str] = Field(min_length=1)
    when: str
    priority: PriorityField
    on_delay: Duration = 0.0
    off_delay: Duration = 0.0


KINDS: dict[str, type[LevelOptions] | type[ConditionOptions]] = {
    "level": LevelOptions,
    "condition": ConditionOptions,
}


class RuleFile(Options):
    """The outermost shape; each rule is read on its own, so that one fault hides no other."""

    rules: list[Any]
