"""Which siren sounds and which lamp lights: a pure function of the alarms, kept as levels, never as pulses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.core.model import Alarm, AlarmDefinition, AlarmState, Instant, Level, Priority


class OutputKind(StrEnum):
    """What an output is to people. Lamp colours follow alarm priority (IEC 60073), never the risk colours."""

    SIREN = "siren"
    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"


@dataclass(frozen=True)
class Signal:
    """Levels of one kind of output: for a new alarm, and for one that somebody has acknowledged."""

    kind: OutputKind
    unacknowledged: Level
    acknowledged: Level


_SIREN = Signal(OutputKind.SIREN, Level.ON, Level.OFF)
_RED = Signal(OutputKind.RED, Level.FLASH, Level.ON)

PATTERNS: Mapping[Priority, tuple[Signal, ...]] = {
    Priority.P1: (_SIREN, _RED),
    Priority.P2: (_SIREN, _RED),
    Priority.P3: (Signal(OutputKind.YELLOW, Level.FLASH, Level.ON),),
    Priority.P4: (Signal(OutputKind.YELLOW, Level.ON, Level.ON),),
}
"""Priority → signals (DESIGN §6). Several alarms on one output: the strongest level wins."""


def attracts(priority: Priority, kinds: Iterable[OutputKind]) -> bool:
    """Tell whether an alarm of ``priority`` drives any output of these kinds."""
    return any(signal.kind in kinds for signal in PATTERNS[priority])


_STRENGTH = {Level.OFF: 0, Level.ON: 1, Level.FLASH: 2}


def stronger(one: Level, other: Level) -> Level:
    """Return the level that attracts more attention."""
    return max(one, other, key=_STRENGTH.__getitem__)


def level_for(signal: Signal, alarm: Alarm) -> Level:
    """Return what ``alarm`` asks of an output with ``signal``.

    A returned but unacknowledged alarm keeps its lamp, not the sound: what must go on sounding is
    latched, and a latched alarm stays active. Silence stops the sound alone.
    """
    if alarm.state is AlarmState.UNACKNOWLEDGED:
        silent = signal.kind is OutputKind.SIREN and alarm.silenced
        return Level.OFF if silent else signal.unacknowledged
    if alarm.state is AlarmState.ACKNOWLEDGED:
        return signal.acknowledged
    if alarm.state is AlarmState.RETURNED:
        return Level.OFF if signal.kind is OutputKind.SIREN else signal.unacknowledged
    return Level.OFF


def wanted_levels(
    outputs: Mapping[str, OutputKind],
    alarms: Iterable[tuple[AlarmDefinition, Alarm]],
    reserve: Collection[str] = (),
) -> dict[str, Level]:
    """Return the wanted level of every output. Pure.

    Outputs in ``reserve`` (backups) are driven directly only by alarms that name them.
    """
    wanted = dict.fromkeys(outputs, Level.OFF)
    for definition, alarm in alarms:
        for signal in PATTERNS[definition.priority]:
            level = level_for(signal, alarm)
            for name in _driven(definition, signal.kind, outputs, reserve):
                wanted[name] = stronger(wanted[name], level)
    return wanted


def _driven(
    definition: AlarmDefinition, kind: OutputKind, outputs: Mapping[str, OutputKind], reserve: Collection[str]
) -> list[str]:
    allowed = definition.outputs
    alike = [name for name, its in outputs.items() if its is kind]
    return [name for name in alike if (name not in reserve if allowed is None else name in allowed)]


class Annunciator:
    """Holds the wanted level of every output, and tells those who drive them when one changes.

    ``backups`` maps an output to the one that takes over while the first is not confirmed.
    """

    def __init__(self, outputs: Mapping[str, OutputKind], backups: Mapping[str, str], changed: Callable[[], None]):
        self.outputs = dict(outputs)
        self.wanted: dict[str, Level] = dict.fromkeys(outputs, Level.OFF)
        self._backups = dict(backups)
        self._changed = changed
        self._tests: dict[str, float] = {}
        self._unconfirmed: frozenset[str] = frozenset()

    def refresh(self, alarms: Iterable[tuple[AlarmDefinition, Alarm]], now: Instant) -> list[tuple[str, Level]]:
        """Recompute every level; return the outputs whose wanted level changed, with it."""
        wanted = wanted_levels(self.outputs, alarms, self._backups.values())
        for name in self.testing(now.mono_s):
            wanted[name] = stronger(wanted[name], Level.ON)
        for name in self._unconfirmed & self._backups.keys():
            backup = self._backups[name]
            wanted[backup] = stronger(wanted[backup], wanted[name])
            while backup in self._unconfirmed and (further := self._backups.get(backup)):  # the chain has no loop
                wanted[further] = stronger(wanted[further], wanted[name])
                backup = further
        changes = [(name, level) for name, level in wanted.items() if self.wanted[name] is not level]
        self.wanted = wanted
        if changes:
            self._changed()
        return changes

    def test(self, outputs: Collection[str], until_s: float) -> None:
        """Switch ``outputs`` on until the monotonic time ``until_s``; a real alarm is never weakened by a test."""
        self._tests.update(dict.fromkeys(outputs, until_s))

    def testing(self, now_s: float) -> set[str]:
        """Return the outputs under test at ``now_s``."""
        self._tests = {name: until_s for name, until_s in self._tests.items() if until_s > now_s}
        return set(self._tests)

    def next_due_s(self) -> float | None:
        """Return when the earliest test ends."""
        return min(self._tests.values(), default=None)

    def unconfirmed(self, outputs: Collection[str]) -> None:
        """Take note of the outputs that do not follow; their backups take over at the next ``refresh``."""
        self._unconfirmed = frozenset(outputs)
