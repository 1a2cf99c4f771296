"""Holds the wanted level of every siren and lamp, as levels and never as pulses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import inf

from agent.annunciation.kinds import OutputKind, stronger
from agent.annunciation.patterns import Annunciation, shipped
from agent.annunciation.wanted import Live, Outputs, look
from agent.core.model import Instant, Level


class Annunciator:
    """Tells those who drive the outputs when a wanted level changes.

    ``backups`` maps an output to the one that takes over while the first is not confirmed; ``data`` says what
    each priority shows (default: as shipped).
    """

    def __init__(
        self,
        outputs: Mapping[str, OutputKind],
        backups: Mapping[str, str],
        changed: Callable[[], None],
        data: Annunciation | None = None,
    ):
        self.outputs = dict(outputs)
        self.wanted: dict[str, Level] = dict.fromkeys(outputs, Level.OFF)
        self.forced: Callable[[float], Collection[str]] = lambda _now_s: ()
        """Outputs that must be on at that monotonic time though no alarm asks for it (``on_start: on``)."""
        self._data = data if data is not None else shipped()
        self._backups = dict(backups)
        self._changed = changed
        self._tests: dict[str, float] = {}
        self._unconfirmed: frozenset[str] = frozenset()
        self._sound_due_s = inf
        reserve = set(backups.values())
        by_kind = {kind: tuple(n for n, k in outputs.items() if k is kind and n not in reserve) for kind in OutputKind}
        self._driven = Outputs(self.outputs, by_kind, self._stands_in)

    def refresh(self, alarms: Iterable[Live], now: Instant) -> list[tuple[str, Level]]:
        """Recompute every level from the alarms that stand; return the outputs whose level changed, with it."""
        wanted, self._sound_due_s = look(self._driven, alarms, self._data, now)
        self._switch_on({*self.testing(now.mono_s), *self.forced(now.mono_s)}, wanted)
        changes = [(name, level) for name, level in wanted.items() if self.wanted[name] is not level]
        self.wanted = wanted
        if changes:
            self._changed()
        return changes

    def test(self, outputs: Collection[str], until_s: float) -> None:
        """Switch ``outputs`` on until the monotonic time ``until_s``; a real alarm is never weakened by a test."""
        self._tests.update(dict.fromkeys(outputs, until_s))

    def end_test(self, outputs: Collection[str]) -> None:
        """End the test of ``outputs`` at the next ``refresh``."""
        for name in outputs:
            self._tests.pop(name, None)

    def testing(self, now_s: float) -> set[str]:
        """Return the outputs under test at ``now_s``."""
        self._tests = {name: until_s for name, until_s in self._tests.items() if until_s > now_s}
        return set(self._tests)

    def is_preempted(self, output: str) -> bool:
        """Tell whether an alarm sounds where ``output`` is heard, so that it cannot be tested now."""
        kind, area = self.outputs[output], self._data.areas.get(output, "")
        own = not kind.sounds and self.wanted[output] is not Level.OFF and output not in self._tests
        return own or (kind.sounds and area in self._loud_areas(self.wanted, set(self._tests)))

    def next_due_s(self) -> float | None:
        """Return when the earliest test ends, or a sound begins or ends by itself."""
        due_s = min(self._tests.values(), default=inf)
        due_s = min(due_s, self._sound_due_s)
        return due_s if due_s < inf else None

    def unconfirmed(self, outputs: Collection[str]) -> None:
        """Take note of the outputs that do not follow; their backups take over at the next ``refresh``."""
        self._unconfirmed = frozenset(outputs)

    def _stands_in(self, name: str) -> Iterator[str]:
        """Yield who takes over for ``name``, and for those in turn; the chain has no loop."""
        while name in self._unconfirmed and (backup := self._backups.get(name)):
            yield backup
            name = backup

    def _switch_on(self, names: Collection[str], wanted: dict[str, Level]) -> None:
        """Switch on what is under test; where an alarm sounds, nothing else does."""
        if not names:
            return
        loud = self._loud_areas(wanted, ())
        for name in names:
            if not self.outputs[name].sounds:
                wanted[name] = stronger(wanted[name], Level.ON)
            elif self._data.areas.get(name, "") not in loud:
                wanted[name] = Level.ON

    def _loud_areas(self, wanted: Mapping[str, Level], but: Collection[str]) -> set[str]:
        return {
            self._data.areas.get(name, "")
            for name, level in wanted.items()
            if level is not Level.OFF and self.outputs[name].sounds and name not in but
        }
