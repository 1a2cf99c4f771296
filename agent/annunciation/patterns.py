"""Priority → what people see and hear, as data: the shipped table, and what a site makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from agent.annunciation.kinds import OutputKind, levels_of
from agent.core.calendars import Calendar, clock_was_set
from agent.core.document import Document, Where
from agent.core.durations import Duration
from agent.core.model import AlarmState, Instant, Level, Priority
from agent.core.options import Options

_SHIPPED = Path(__file__).with_name("patterns.yaml")


def off_is_a_word(value: object) -> object:
    """YAML 1.1 reads a bare ``off`` and ``on`` as booleans; here they are words."""
    return {False: "off", True: "on"}.get(value, value) if isinstance(value, bool) else value


Shown = Annotated[Level, BeforeValidator(off_is_a_word)]


class Signal(Options):
    """Levels of one kind of output: for a new alarm, for one that somebody has acknowledged, for one that is over."""

    unacknowledged: Shown = Level.OFF
    acknowledged: Shown = Level.OFF
    returned: Shown = Level.OFF

    def level(self, state: AlarmState) -> Level:
        """Return the level for an alarm in ``state``; one that is out of people's way is dark and silent."""
        if state is AlarmState.UNACKNOWLEDGED:
            return self.unacknowledged
        if state is AlarmState.ACKNOWLEDGED:
            return self.acknowledged
        return self.returned if state is AlarmState.RETURNED else Level.OFF


class Pattern(Options):
    """What alarms of one priority show. Kinds that a site does not name stay as they are shipped.

    They sound for ``longest_sound`` at a time (None: until somebody answers), and again every ``repeat_after``.
    """

    siren: Signal | None = None
    buzzer: Signal | None = None
    red: Signal | None = None
    yellow: Signal | None = None
    green: Signal | None = None
    blue: Signal | None = None
    white: Signal | None = None
    longest_sound: Duration | None = Field(default=None, gt=0)
    repeat_after: Duration | None = Field(default=None, gt=0)

    def signals(self) -> Iterator[tuple[OutputKind, Signal]]:
        """Yield each kind of output that it uses."""
        for kind in OutputKind:
            signal: Signal | None = getattr(self, kind)
            if signal is not None:
                yield kind, signal

    def over(self, other: Pattern) -> Pattern:
        """Return ``other`` with what this one says itself."""
        return other.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})

    def faults(self, priority: Priority | None) -> Iterator[tuple[Where, str]]:
        """Yield what is wrong with it as the pattern of ``priority``, and where in it."""
        for kind, signal in self.signals():
            fit = levels_of(kind)
            for stage in ("unacknowledged", "acknowledged", "returned"):
                if getattr(signal, stage) not in fit:
                    yield (kind, stage), f"{kind} cannot be {getattr(signal, stage)}; write {', '.join(fit)}"
        if priority is not None and not any(signal.unacknowledged is not Level.OFF for _, signal in self.signals()):
            yield (), f"nobody would notice an alarm of {priority.name}; give it a lamp or a tone"
        elif priority in (Priority.P1, Priority.P2) and not self._is_loud():
            yield (), f"{priority.name} would be silent; give siren or buzzer a tone other than chime"
        if self.longest_sound is not None and (self.repeat_after or 0.0) <= self.longest_sound:
            yield ("longest_sound",), "whom nobody answers must call again; add a 'repeat_after' that is longer"

    def _is_loud(self) -> bool:
        tones = [signal.unacknowledged for kind, signal in self.signals() if kind.sounds]
        return any(tone not in (Level.OFF, Level.CHIME) for tone in tones)


class Steady(Options):
    """Levels of lamps while nothing at all is wrong."""

    green: Shown = Level.OFF
    white: Shown = Level.OFF
    blue: Shown = Level.OFF


@dataclass(frozen=True)
class Profile:
    """Other patterns while a calendar covers the moment. Never for P1, and never quieter than loud for P2."""

    name: str
    during: Calendar
    patterns: Mapping[Priority, Pattern]


@dataclass(frozen=True)
class Annunciation:
    """All that is data in annunciation. ``areas`` and ``chimes`` are by output: where it is heard, what can chime.

    ``faults`` are the ids of alarms of the gateway itself, which show ``fault`` besides.
    """

    patterns: Mapping[Priority, Pattern]
    clear: Mapping[OutputKind, Level] = field(default_factory=dict)
    fault: Pattern | None = None
    faults: frozenset[str] = frozenset()
    profiles: tuple[Profile, ...] = ()
    areas: Mapping[str, str] = field(default_factory=dict)
    chimes: frozenset[str] = frozenset()

    def at(self, now: Instant) -> Mapping[Priority, Pattern]:
        """Return the patterns that count at ``now``. A clock that was never set tells no night."""
        if not self.profiles or not clock_was_set(now.utc):
            return self.patterns
        found = dict(self.patterns)
        for profile in self.profiles:
            if profile.during.covers(now.utc):
                found |= profile.patterns
        return found

    def attracts(self, priority: Priority, outputs: Collection[str], kinds: Mapping[str, OutputKind]) -> bool:
        """Tell whether an alarm of ``priority`` can be seen or heard on any of these outputs."""
        shown = {kind: signal.unacknowledged for kind, signal in self.patterns[priority].signals()}
        levels = ((name, shown.get(kinds[name], Level.OFF)) for name in outputs)
        return any(
            level is not Level.OFF and (level is not Level.CHIME or name in self.chimes) for name, level in levels
        )

    def for_outputs(self, areas: Mapping[str, str], chimes: Collection[str]) -> Annunciation:
        """Return the same for a site's outputs."""
        return replace(self, areas=areas, chimes=frozenset(chimes))


class PatternFile(Options):
    """``patterns.yaml``."""

    P1: Pattern
    P2: Pattern
    P3: Pattern
    P4: Pattern
    clear: Steady = Steady()


@cache
def shipped() -> Annunciation:
    """Return what counts at a site that says nothing."""
    file, faults = Document.load(_SHIPPED).read(PatternFile)
    assert file is not None, faults
    return Annunciation({priority: getattr(file, priority.name) for priority in Priority}, steady(file.clear))


def steady(clear: Steady) -> dict[OutputKind, Level]:
    """Return the levels by kind of output."""
    return {OutputKind(name): level for name, level in clear if level is not Level.OFF}
