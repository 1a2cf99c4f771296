"""The wanted level of every output, a pure function of the alarms that stand and of the moment.

In time it is a plain OR: an output changes only when an alarm, its silence, or the phase of its sound does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from agent.annunciation.kinds import OutputKind, stronger
from agent.annunciation.patterns import Annunciation, Pattern, Signal
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Instant, Level, Priority

Live = tuple[AlarmDefinition, Alarm]
_TICK_S = 1e-6
"""A phase that ends within this has ended: rounding must not name the present moment as the next change."""


class Outputs(NamedTuple):
    """What there is to drive. ``stands_in`` yields an output with those that take over for it now."""

    kinds: Mapping[str, OutputKind]
    by_kind: Mapping[OutputKind, tuple[str, ...]]
    """Those that an alarm drives that names none: backups are not among them."""
    stands_in: Callable[[str], Iterable[str]]


class Picture(NamedTuple):
    """The wanted levels, and the monotonic time at which a sound begins or ends by itself (inf: never)."""

    wanted: dict[str, Level]
    due_s: float


def is_sounding(pattern: Pattern, alarm: Alarm, now_s: float) -> tuple[bool, float]:
    """Tell whether the alarm's sound is in its loud phase, and when (monotonic) that changes. Pure."""
    if pattern.longest_sound is None or pattern.repeat_after is None or alarm.called is None:
        return True, inf
    now_s += _TICK_S
    turns = max(now_s - alarm.called.mono_s, 0.0) // pattern.repeat_after
    begun_s = alarm.called.mono_s + turns * pattern.repeat_after
    if now_s < begun_s + pattern.longest_sound:
        return True, begun_s + pattern.longest_sound
    return False, begun_s + pattern.repeat_after


def look(outputs: Outputs, alarms: Iterable[Live], data: Annunciation, now: Instant) -> Picture:
    """Return what every output should show at ``now``."""
    wanted = dict.fromkeys(outputs.kinds, Level.OFF)
    calls, due_s, is_clear = _calls(alarms, data, now)
    heard = _Heard(data)
    for call in calls:
        for name, level in _asks(outputs, call.definition, call.alarm, call.pattern, data):
            if not outputs.kinds[name].sounds:
                wanted[name] = stronger(wanted[name], level)
            elif call.is_loud:
                heard.ask(name, call.definition.priority, level)
    if is_clear:
        for kind, level in data.clear.items():
            wanted.update(dict.fromkeys(outputs.by_kind.get(kind, ()), level))
    wanted.update(heard.levels())
    return Picture(wanted, due_s)


def _calls(alarms: Iterable[Live], data: Annunciation, now: Instant) -> tuple[Iterable[_Call], float, bool]:
    """Return one of each sort of alarm, when (monotonic) the first sound changes, and whether nothing stands at all."""
    patterns, due_s, is_clear = data.at(now), inf, True
    calls: dict[object, _Call] = {}
    for definition, alarm in alarms:
        is_clear = False
        if alarm.state is not alarm.process:
            continue  # shelved, suppressed or out of service: silent and dark
        pattern = patterns[definition.priority]
        loud, change_s = is_sounding(pattern, alarm, now.mono_s)
        loud = loud and not alarm.silenced
        if alarm.process is AlarmState.UNACKNOWLEDGED and not alarm.silenced:
            due_s = min(due_s, change_s)
        likeness = _likeness(definition, alarm, loud, data)
        if likeness not in calls:
            calls[likeness] = _Call(definition, alarm, pattern, loud)
    return calls.values(), due_s, is_clear


class _Call(NamedTuple):
    """One of the alarms that ask the very same of the outputs; ``is_loud``: now, and nobody has silenced it."""

    definition: AlarmDefinition
    alarm: Alarm
    pattern: Pattern
    is_loud: bool


def _likeness(definition: AlarmDefinition, alarm: Alarm, loud: bool, data: Annunciation) -> object:
    """Return what two alarms have in common that ask the same: in a flood it is looked at once."""
    joining = definition.escalation[: alarm.escalated] if alarm.escalated else ()
    return definition.priority, alarm.process, loud, definition.outputs, definition.id in data.faults, joining


class _Heard:
    """One sound at a time in an area: the highest priority that sounds there owns it.

    Every output that some alarm wants to sound does, with the owner's tone: nobody is left without a sound
    because a lower priority is not heard.
    """

    def __init__(self, data: Annunciation) -> None:
        self._data = data
        self._asked: dict[str, Priority] = {}
        self._owner: dict[str, tuple[Priority, Level]] = {}

    def ask(self, name: str, priority: Priority, level: Level) -> None:
        if level is Level.OFF or (level is Level.CHIME and name not in self._data.chimes):
            return
        area = self._data.areas.get(name, "")
        self._asked[name] = priority
        owner, tone = self._owner.get(area, (priority, level))
        if priority < owner:
            self._owner[area] = priority, level
        elif priority == owner:
            self._owner[area] = owner, stronger(tone, level)

    def levels(self) -> Iterator[tuple[str, Level]]:
        for name in self._asked:
            tone = self._owner[self._data.areas.get(name, "")][1]
            yield name, tone


def _asks(
    outputs: Outputs, definition: AlarmDefinition, alarm: Alarm, pattern: Pattern, data: Annunciation
) -> Iterator[tuple[str, Level]]:
    """Yield each output that the alarm drives with what it asks of it, and of those that stand in for it."""
    signals = list(pattern.signals())
    if data.fault is not None and definition.id in data.faults:
        signals += data.fault.signals()
    for kind, signal in signals:
        level = signal.level(alarm.process)
        if level is not Level.OFF:
            for name in _driven(outputs, definition, kind):
                yield from _with_backups(outputs, name, level)
    if alarm.escalated and alarm.process is AlarmState.UNACKNOWLEDGED:
        yield from _joining(outputs, definition, alarm, dict(signals))


def _driven(outputs: Outputs, definition: AlarmDefinition, kind: OutputKind) -> Iterable[str]:
    if definition.outputs is None:
        return outputs.by_kind.get(kind, ())
    return [name for name in definition.outputs if outputs.kinds.get(name) is kind]


def _joining(
    outputs: Outputs, definition: AlarmDefinition, alarm: Alarm, signals: Mapping[OutputKind, Signal]
) -> Iterator[tuple[str, Level]]:
    """Yield the outputs of the steps of escalation that were taken: they attract, whatever the pattern says."""
    for step in definition.escalation[: alarm.escalated]:
        for name in step.outputs:
            kind = outputs.kinds.get(name)
            if kind is not None:
                level = signals[kind].unacknowledged if kind in signals else Level.OFF
                if level in (Level.OFF, Level.CHIME):
                    level = Level.ON if kind.sounds else Level.FLASH
                yield from _with_backups(outputs, name, level)


def _with_backups(outputs: Outputs, name: str, level: Level) -> Iterator[tuple[str, Level]]:
    """Yield the output and those that stand in for it; a lamp in place of a siren flashes."""
    yield name, level
    sounds = outputs.kinds[name].sounds
    for other in outputs.stands_in(name):
        if outputs.kinds[other].sounds is sounds:
            yield other, level
        elif sounds and level is not Level.CHIME:
            yield other, Level.FLASH
