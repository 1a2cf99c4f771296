"""What every rule in a file may say, whatever its kind: the pydantic base of ``rules.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from agent.core.calendars import Windows
from agent.core.document import Where, suggestion
from agent.core.durations import Duration
from agent.core.model import AlarmDefinition, Escalation, PointInfo, Priority
from agent.core.options import Options
from rules.cel import CelCondition, expression_faults
from rules.condition import Condition
from rules.machine import Timing
from rules.removal import LONGEST_SHELF_S
from rules.rule import Rule, Suppression

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Message = tuple[Where, str]
"""Where in the rule, and what is wrong."""


def _priority(value: object) -> Priority:
    if isinstance(value, Priority):
        return value
    try:
        return Priority[str(value)]
    except KeyError:
        raise ValueError(f"{value!r} is not a priority; write P1 (most urgent), P2, P3 or P4") from None


PriorityField = Annotated[Priority, BeforeValidator(_priority, json_schema_input_type=Literal["P1", "P2", "P3", "P4"])]
LANGUAGES = ("en", "zh")


def _text(value: object) -> object:
    if isinstance(value, str):
        return {"en": value}
    if isinstance(value, dict):
        for language in value:
            if language not in LANGUAGES:
                raise ValueError(f"{language!r} is not a language here{suggestion(str(language), list(LANGUAGES))}")
    return value


Text = Annotated[dict[str, str], BeforeValidator(_text, json_schema_input_type=str | dict[Literal["en", "zh"], str])]
"""A text by language, en and zh; a plain string is taken as en."""

HazardClass = Literal["people", "things", "environment", "management"]
"""人、物、环、管: unsafe acts, unsafe states, surroundings, management."""


class EscalationOptions(Options):
    """Whom to call when nobody has acknowledged ``after`` so long; ``outputs`` join in."""

    after: Duration = Field(gt=0)
    post: str = Field(min_length=1)
    outputs: tuple[str, ...] = ()


class SuppressionOptions(Options):
    """Suppressed by design while the CEL expression ``when`` is true, for ``longest`` at most."""

    inputs: dict[Variable, str] = Field(min_length=1)
    when: str
    longest: Duration | None = Field(default=None, gt=0, description="8h; must be given for a P1 alarm")


class LabelOptions(Options):
    """What the centre sorts by."""

    equipment: str = ""
    step: str = Field(default="", description="of the process")
    crew: str = ""
    hazard_class: HazardClass | None = None
    sop: str = Field(default="", description="number of the operating procedure")


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
    group: str = Field(default="", description="of its alarms the first that is raised is marked as first-out")
    re_alarm: Duration | None = Field(default=None, gt=0, description="call again when acknowledged and still active")
    escalate: tuple[EscalationOptions, ...] = ()
    suppress: SuppressionOptions | None = None
    chatter: Literal["stretch", "report"] = Field(
        default="stretch", description="more than 3 raises a minute: double the off-delay each time, or only tell"
    )
    armed: str = Field(default="", description="name of a calendar; outside of it the alarm is suppressed")
    longest_shelf: Duration | None = Field(default=None, ge=0, description="by priority: never, 30min, 8h, 8h; 0 never")
    labels: LabelOptions = LabelOptions()
    evidence: tuple[str, ...] = Field(
        default=(), description="cameras that keep a picture and a clip of it, besides those that its inputs come from"
    )

    @field_validator("escalate")
    @classmethod
    def _later_and_later(cls, steps: tuple[EscalationOptions, ...]) -> tuple[EscalationOptions, ...]:
        if any(later.after <= earlier.after for earlier, later in pairwise(steps)):
            raise ValueError("the steps must come one after another; give each a longer 'after' than the one before")
        return steps

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield every point that the rule names, and where in it."""
        if self.suppress is not None:
            for name, point in self.suppress.inputs.items():
                yield ("suppress", "inputs", name), point

    def priorities(self) -> Iterator[tuple[Where, Priority]]:
        """Yield the priority of each of its alarms, and where in it."""
        raise NotImplementedError

    def faults(self) -> Iterator[Message]:
        """Yield what is wrong beyond the shape of the fields."""
        if self.suppress is not None:
            for where, message in expression_faults(self.suppress.when, self.suppress.inputs):
                yield ("suppress", *where), message
        for _, priority in self.priorities():
            yield from self._removable(priority)

    def compile(self, points: Mapping[str, PointInfo]) -> Iterator[Rule]:
        """Yield its alarms, the most severe of an exclusive set first. Every point that it names is in ``points``."""
        raise NotImplementedError

    def _removable(self, priority: Priority) -> Iterator[Message]:
        if self.suppress is not None and self.suppress.longest is None and priority is Priority.P1:
            yield ("suppress",), "a P1 alarm may be suppressed for a limited time only; add 'longest: 30min'"
        if self.longest_shelf is not None and self.longest_shelf > LONGEST_SHELF_S[priority]:
            most = "never" if not LONGEST_SHELF_S[priority] else f"{LONGEST_SHELF_S[priority] / 60:.0f}min at most"
            yield ("longest_shelf",), f"a {priority.name} alarm may be shelved {most}; leave it out"

    def define(
        self, alarm: str, priority: Priority, condition: Condition, points: Mapping[str, PointInfo], **more: Any
    ) -> AlarmDefinition:
        """Return the definition of one alarm; ``more`` overrides what the rule says."""
        first = points[condition.inputs[0]] if condition.inputs else PointInfo("")
        longest_s = self.longest_shelf if self.longest_shelf is not None else LONGEST_SHELF_S[priority]
        labels = {key: value for key, value in self.labels.model_dump().items() if value}
        return AlarmDefinition(
            **{
                "id": alarm,
                "rule": self.id,
                "kind": self.kind,  # type: ignore[attr-defined]  # each kind declares its literal
                "priority": priority,
                "name": self.name,
                "inputs": condition.inputs,
                "condition": condition.describe(),
                "consequence": self.consequence,
                "response": self.response,
                "post": self.post,
                "zone": self.zone or first.zone,
                "latch": self.latch,
                "outputs": self.outputs,
                "group": self.group,
                "escalation": tuple(Escalation(each.after, each.post, each.outputs) for each in self.escalate),
                "longest_shelf_s": longest_s,
                "labels": labels,
                "evidence": self.evidence,
                **more,
            }
        )

    def timing(self, on_delay_s: float, off_delay_s: float, latch: bool | None = None) -> Timing:
        """Return the timing of one alarm."""
        steps = tuple(Escalation(each.after, each.post, each.outputs) for each in self.escalate)
        latches, stretches = self.latch if latch is None else latch, self.chatter == "stretch"
        return Timing(on_delay_s, off_delay_s, latches, self.re_alarm, steps, stretches)

    def suppression(self) -> Suppression | None:
        """Return what suppresses its alarms."""
        if self.suppress is None:
            return None
        longest_s = self.suppress.longest if self.suppress.longest is not None else 28800.0
        return Suppression(CelCondition(self.suppress.when, self.suppress.inputs), longest_s)


class SingleOptions(RuleOptions):
    """A rule that is one alarm. A kind declares its fields, names its points and builds its condition."""

    priority: PriorityField
    on_delay: Duration = 0.0
    off_delay: Duration = 0.0

    def priorities(self) -> Iterator[tuple[Where, Priority]]:
        """Yield the one."""
        yield ("priority",), self.priority

    def condition(self, points: Mapping[str, PointInfo]) -> Condition:
        """Return the compiled condition."""
        raise NotImplementedError

    def measure(self, points: Mapping[str, PointInfo]) -> dict[str, Any]:  # noqa: ARG002 - not every kind measures
        """Return ``unit`` and ``limit`` of the alarm's value, where it has them."""
        return {}

    def compile(self, points: Mapping[str, PointInfo]) -> Iterator[Rule]:
        """Yield the one alarm."""
        condition = self.condition(points)
        definition = self.define(self.id, self.priority, condition, points, **self.measure(points))
        timing = self.timing(self.on_delay, self.off_delay)
        yield Rule(definition, condition, timing, self.suppression(), self.armed)


class ExpressionOptions(SingleOptions):
    """A rule about a CEL expression over declared inputs."""

    inputs: dict[Variable, str] = Field(min_length=1)
    when: str

    def points(self) -> Iterator[tuple[Where, str]]:
        """Yield every declared input."""
        for name, point in self.inputs.items():
            yield ("inputs", name), point
        yield from super().points()

    def faults(self) -> Iterator[Message]:
        """Find what is wrong with the expression."""
        yield from super().faults()
        yield from expression_faults(self.when, self.inputs)


class RuleFile(Options):
    """The outermost shape; each rule and template is read on its own, so that one fault hides no other."""

    include: list[str] = Field(default_factory=list, description="files beside this one, or library:NAME")
    calendars: dict[Variable, Windows] = Field(default_factory=dict, description="weekly windows, for 'armed'")
    templates: dict[Variable, Any] = Field(default_factory=dict, description="rules with parameters")
    rules: list[Any] = Field(default_factory=list)
