"""What a scenario file may say, and reading it: every fault of it and of its rules at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from agent.core.calendars import Calendar, time_zone
from agent.core.document import Document, Where, suggestion
from agent.core.durations import Duration, parse_duration
from agent.core.errors import ConfigError, Fault
from agent.core.model import Action, AlarmState, PointInfo, Quality, Value
from agent.core.options import Options
from rules.files import RuleFiles
from rules.language import RuleFile
from rules.loading import compile_files
from rules.rule import Rule

NOON = datetime(2026, 3, 2, 12, 0)
"""A Monday; when a scenario begins that does not say."""


class SettingOptions(Options):
    """What a point reads: a value, a loss, a ramp to a number, or values one after another."""

    value: Value = None
    quality: Quality | None = Field(default=None, description="good, uncertain or bad; default good, of null bad")
    reason: str = Field(default="", description="why the quality is not good")
    ramp: float | None = Field(default=None, description="the number that it comes to, in equal steps")
    over: Duration = Field(default=10.0, gt=0, description="how long the ramp takes")
    repeat: tuple[Value, ...] = Field(default=(), description="values one after another, from the first again")
    times: int = Field(default=1, ge=1, description="how often all of 'repeat'")
    every: Duration = Field(default=1.0, gt=0, description="between two values of a ramp or of 'repeat'")

    @model_validator(mode="after")
    def _means_one_thing(self) -> SettingOptions:
        given = [name for name in ("value", "ramp", "repeat") if name in self.model_fields_set]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; give one of them")
        if not given and self.quality is not Quality.BAD:
            raise ValueError("give a value, a ramp, a repeat, or 'quality: bad'")
        bad = self.quality is Quality.BAD or (self.quality is None and self.value is None)
        if "value" in given and (self.value is None) is not bad:
            raise ValueError("a bad sample has no value, and every other has one")
        return self


def _setting(value: object) -> object:
    return value if isinstance(value, dict) else {"value": value}


Setting = Annotated[SettingOptions, BeforeValidator(_setting, json_schema_input_type=Value | SettingOptions)]


class ExpectOptions(Options):
    """How an alarm must be; what is left out does not matter."""

    state: AlarmState | None = None
    active: bool | None = None
    silenced: bool | None = None
    degraded: bool | None = None
    first_out: bool | None = None
    chattering: bool | None = None
    escalated: int | None = Field(default=None, description="how many steps of the escalation were taken")


def _expectation(value: object) -> object:
    return value if isinstance(value, dict) else {"state": value}


Expectation = Annotated[ExpectOptions, BeforeValidator(_expectation, json_schema_input_type=AlarmState | ExpectOptions)]


class ShelfOptions(Options):
    """Put an alarm away ``for`` so long."""

    for_: Duration = Field(alias="for", gt=0)
    reason: str = "test"


class ServiceOptions(Options):
    """Take an alarm out of service; ``second`` is who else agreed."""

    reason: str = "test"
    second: str = "second person"


def _signed(value: object) -> float:
    text = str(value).strip()
    sign = -1.0 if text.startswith("-") else 1.0
    return sign * parse_duration(text.lstrip("+-"))


class StepOptions(Options):
    """At ``at``: the agent restarts, the clock steps, points read, people act; then what must hold."""

    at: Duration
    restart: Literal["same_boot", "other_boot"] | None = None
    down: Duration = Field(default=0.0, ge=0, description="how long the restart takes")
    clock: Annotated[float, BeforeValidator(_signed, json_schema_input_type=str)] = Field(
        default=0.0, description="step of the wall clock: +1h, -30min"
    )
    set: dict[str, Setting] = Field(default_factory=dict)
    acknowledge: tuple[str, ...] = ()
    silence: tuple[str, ...] = ()
    shelve: dict[str, ShelfOptions] = Field(default_factory=dict)
    unshelve: tuple[str, ...] = ()
    take_out: dict[str, ServiceOptions] = Field(default_factory=dict)
    bring_back: tuple[str, ...] = ()
    refused: bool = Field(default=False, description="what people do in this step must not be allowed")
    expect: dict[str, Expectation] = Field(default_factory=dict)
    events: dict[str, tuple[Action, ...]] = Field(
        default_factory=dict, description="exactly what happened to an alarm since the step that asked before"
    )

    def named(self) -> Iterator[tuple[Where, str]]:
        """Yield every alarm that the step names, and where."""
        for key in ("acknowledge", "silence", "unshelve", "bring_back"):
            yield from (((key, index), alarm) for index, alarm in enumerate(getattr(self, key)))
        for key in ("shelve", "take_out", "expect", "events"):
            yield from (((key, alarm), alarm) for alarm in getattr(self, key))


def _in_order(steps: tuple[StepOptions, ...]) -> tuple[StepOptions, ...]:
    for earlier, later in pairwise(steps):
        if later.at < earlier.at + earlier.down:
            raise ValueError(f"the step at {later.at:g} s comes after one that ends later; put the steps in order")
    return steps


class ScenarioOptions(Options):
    """One story. ``start`` is local time."""

    name: str = Field(min_length=1)
    start: Annotated[datetime, WithJsonSchema({"type": "string", "description": "2026-03-02 18:30"})] = NOON
    steps: Annotated[tuple[StepOptions, ...], AfterValidator(_in_order)] = Field(min_length=1)


class PointTestOptions(Options):
    """A point of the test."""

    unit: str = ""
    zone: str = ""
    stale_after: Duration | None = None


def _point(value: object) -> object:
    return value if isinstance(value, dict) else {"unit": value or ""}


PointTest = Annotated[PointTestOptions, BeforeValidator(_point, json_schema_input_type=str | PointTestOptions | None)]


def _zone(name: str) -> str:
    time_zone(name)
    return name


class ScenarioFile(RuleFile):
    """A rule file with points and scenarios; ``rules`` may also name the rule file that is tested."""

    rules: Any = Field(default_factory=list, description="rules, or the name of the rule file that is tested")
    points: dict[str, PointTest] = Field(
        default_factory=dict, description="unit of each point; in a test of a site those of the site are there too"
    )
    outputs: tuple[str, ...] | None = Field(default=None, description="names of outputs; default: any will do")
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    scenarios: tuple[ScenarioOptions, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Surroundings:
    """What a site lends to the tests of its rules."""

    points: Mapping[str, PointInfo]
    outputs: Collection[str]
    calendars: Mapping[str, Calendar]
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Story:
    """One scenario, ready to play: its rules, its points, and a way to name the place of what fails."""

    name: str
    options: ScenarioOptions
    rules: tuple[Rule, ...]
    points: Mapping[str, PointInfo]
    zone: tzinfo
    document: Document
    where: Where

    def fault(self, place: Where, message: str) -> Fault:
        """Return what failed, at ``place`` within the scenario."""
        return self.document.fault((*self.where, *place), message)


def load_scenarios(path: Path, site: Surroundings | None = None) -> list[Story]:
    """Read a scenario file. Raises ConfigError with every fault of it and of the rules."""
    document = Document.load(path)
    file, faults = document.read(ScenarioFile)
    if file is None:
        raise ConfigError(faults)
    zone = site.zone if site is not None and "timezone" not in file.model_fields_set else time_zone(file.timezone)
    points = dict(site.points) if site is not None else {}
    points |= {
        id_: PointInfo(id_, each.unit, each.zone, "", False, each.stale_after) for id_, each in file.points.items()
    }
    files = RuleFiles(zone)
    files.take(document, path, *_rules_of(document, file))
    outputs = file.outputs if file.outputs is not None or site is None else site.outputs
    rules = compile_files(files, points, outputs, calendars=site.calendars if site is not None else None)
    stories = [
        Story(each.name, each, rules, points, zone, document, ("scenarios", index))
        for index, each in enumerate(file.scenarios)
    ]
    if faults := [fault for story in stories for fault in _unknown(story)]:
        raise ConfigError(faults)
    return stories


def _rules_of(document: Document, file: ScenarioFile) -> tuple[Any, list[tuple[Where, str]]]:
    data = {key: value for key, value in document.data.items() if key in ("include", "calendars", "templates", "rules")}
    if isinstance(file.rules, str):
        return {**data, "rules": []}, [(("rules",), file.rules)]
    return data, []


def _unknown(story: Story) -> Iterator[Fault]:
    """Find points and alarms that are not there."""
    alarms = [rule.definition.id for rule in story.rules]
    for index, step in enumerate(story.options.steps):
        for place, alarm in step.named():
            if alarm not in alarms:
                near = suggestion(alarm, alarms)
                yield story.document.fault(
                    (*story.where, "steps", index, *place), f"there is no alarm {alarm!r}{near}", at_key=True
                )
        for point in step.set:
            if point not in story.points:
                hint = suggestion(point, list(story.points)) or "; declare it under points"
                place = (*story.where, "steps", index, "set", point)
                yield story.document.fault(place, f"there is no point {point!r}{hint}", at_key=True)
