"""What another rule set would change, alarm by alarm, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from agent.core.durations import format_duration
from agent.core.model import Alarm, Priority
from rules.rule import Rule

URGENT = (Priority.P1, Priority.P2)
"""An alarm of these priorities that is active is not removed in passing."""


@dataclass(frozen=True)
class Line:
    """One alarm that differs; ``words`` say what. ``active``: it stands at this moment."""

    alarm: str
    priority: Priority
    words: tuple[str, ...]
    active: bool = False

    def __str__(self) -> str:
        return f"{self.alarm} ({self.priority.name}): {'; '.join(self.words)}{' (active now)' if self.active else ''}"


@dataclass(frozen=True)
class Difference:
    """Between two rule sets."""

    added: tuple[Line, ...] = ()
    removed: tuple[Line, ...] = ()
    changed: tuple[Line, ...] = ()
    same: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def urgent(self) -> tuple[str, ...]:
        """Ids of active P1 and P2 alarms that would be gone."""
        return tuple(line.alarm for line in self.removed if line.active and line.priority in URGENT)

    def at(self, alarms: Mapping[str, Alarm]) -> Difference:
        """Return it with what is active now."""
        removed, changed = (
            tuple(replace(line, active=line.alarm in alarms and alarms[line.alarm].active) for line in lines)
            for lines in (self.removed, self.changed)
        )
        return replace(self, removed=removed, changed=changed)

    def lines(self) -> Iterator[str]:
        """Yield a line for each alarm that differs: ``+`` added, ``-`` removed, ``~`` changed."""
        for mark, lines in (("-", self.removed), ("+", self.added), ("~", self.changed)):
            yield from (f"{mark} {line}" for line in lines)

    def plain(self) -> dict[str, object]:
        """Return it as JSON data."""
        parts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return {name: [_plain(line) for line in lines] for name, lines in parts.items()} | {"same": self.same}


NOTHING = Difference()


@dataclass
class _Parts:
    added: list[Line] = field(default_factory=list)
    removed: list[Line] = field(default_factory=list)
    changed: list[Line] = field(default_factory=list)
    same: int = 0


def difference(before: Iterable[Rule], after: Iterable[Rule]) -> Difference:
    """Compare by alarm id; ``at`` adds where they stand."""
    old, new = ({rule.definition.id: rule for rule in rules} for rules in (before, after))
    parts = _Parts()
    for id_, rule in old.items():
        if id_ not in new:
            parts.removed.append(Line(id_, rule.definition.priority, (rule.describe(),)))
        elif words := tuple(_changes(rule, new[id_])):
            parts.changed.append(Line(id_, new[id_].definition.priority, words))
        else:
            parts.same += 1
    fresh = (rule for id_, rule in new.items() if id_ not in old)
    parts.added += [Line(rule.definition.id, rule.definition.priority, (rule.describe(),)) for rule in fresh]
    return Difference(tuple(parts.added), tuple(parts.removed), tuple(parts.changed), parts.same)


def _changes(before: Rule, after: Rule) -> Iterator[str]:
    old, new = dict(_features(before)), dict(_features(after))
    for name in new:
        if old[name] != new[name]:
            yield f"{name} {old[name] or 'none'} → {new[name] or 'none'}"


def _features(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield everything that a person would call a change, in words."""
    definition, timing = rule.definition, rule.timing
    yield "priority", definition.priority.name
    yield "condition", rule.condition.describe()
    yield "inputs", ", ".join(rule.condition.inputs)
    yield "on-delay", format_duration(timing.on_delay_s) if timing.on_delay_s else ""
    yield "off-delay", format_duration(timing.off_delay_s) if timing.off_delay_s else ""
    yield "latch", "yes" if timing.latch else "no"
    yield "re-alarm", format_duration(timing.re_alarm_s) if timing.re_alarm_s else ""
    yield "escalation", ", ".join(f"{format_duration(step.after_s)} {step.post}" for step in timing.escalation)
    yield "escalation outputs", ", ".join(output for step in timing.escalation for output in step.outputs)
    yield "outputs", ", ".join(definition.outputs) if definition.outputs is not None else "by priority"
    yield "suppressed while", _suppression(rule)
    yield "armed", rule.armed
    yield "calendar", _calendar(rule)
    yield "yields to", rule.yields_to
    yield "explained by", ", ".join(definition.parents)
    yield "group", definition.group
    yield "longest shelf", format_duration(definition.longest_shelf_s) if definition.longest_shelf_s else "never"
    yield "kind", definition.kind
    yield "post", definition.post
    yield "zone", definition.zone
    for name in ("name", "consequence", "response", "labels"):
        yield name, ", ".join(f"{key}: {text}" for key, text in getattr(definition, name).items())


def _suppression(rule: Rule) -> str:
    if rule.suppression is None:
        return ""
    return f"{rule.suppression.condition.describe()}, {format_duration(rule.suppression.longest_s)} at most"


def _calendar(rule: Rule) -> str:
    if rule.calendar is None:
        return ""
    windows = (f"{','.join(each.days)} {_clock(each.from_)}-{_clock(each.to)}" for each in rule.calendar.windows)
    return f"{'; '.join(windows)} ({rule.calendar.zone})"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _plain(line: Line) -> dict[str, object]:
    return {"alarm": line.alarm, "priority": line.priority.name, "words": list(line.words), "active": line.active}
