"""A plant in virtual time: the real rules, alarms and annunciation; made-up values, crashes, clocks and operators.

Nothing sleeps and nothing is random but the seed. What must hold is said by ``Oracle``, which knows nothing of
the alarm state machine: it looks at the values, and at what people did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from agent.core.errors import NotAllowed
from agent.core.model import Alarm, EventDraft, Instant, Level, Operator, PointInfo, Quality, Sample
from agent.facts import FactTable
from agent.journal.envelope import alarm_from_json, alarm_to_json
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.kinds import KINDS
from rules.rule import Rule
from tests.simulation.horn import annunciator

STALE_S = 2.75
SWEEP_S = 1.0
SHELF_S = 30.0
LI = Operator("li", "hmi", "seen")
POINTS = {name: PointInfo(name, "%", stale_after_s=STALE_S) for name in ("gas", "pressure", "running", "persons")}
RULES = [
    {
        "kind": "level",
        "id": "gas",
        "input": "gas",
        "limits": {"H": {"at": 20, "priority": "P2"}, "HH": {"at": 40, "priority": "P1", "on_delay": 0.0}},
        "on_delay": 2.0,
        "off_delay": 3.0,
        "deadband": 2,
        "name": "gas",
    },
    {
        "kind": "level",
        "id": "pressure",
        "input": "pressure",
        "limits": {"HH": {"at": 12, "priority": "P1", "latch": True}, "L": {"at": 1, "priority": "P3"}},
        "on_delay": 1.0,
        "off_delay": 0.0,
        "deadband": 0.5,
        "re_alarm": 60.0,
        "name": "pressure",
    },
    {
        "kind": "condition",
        "id": "guard",
        "inputs": {"running": "running", "persons": "persons"},
        "when": "running && persons > 0",
        "priority": "P2",
        "on_delay": 1.0,
        "off_delay": 2.0,
        "escalate": [{"after": 20.0, "post": "chief"}],
        "name": "guard",
    },
]


@cache
def _rules() -> tuple[Rule, ...]:
    """Read the rules once for all stories: they do not change, and what they remember is the engine's."""
    return tuple(rule for each in RULES for rule in KINDS[str(each["kind"])].model_validate(each).compile(POINTS))


class Clock:
    """Virtual time; ``utc`` may be stepped, and another boot begins at another monotonic time."""

    def __init__(self) -> None:
        self._now = Instant(1000.0, datetime(2026, 11, 25, tzinfo=UTC))

    def now(self) -> Instant:
        """Return the present moment."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self._now = Instant(self._now.mono_s + seconds, self._now.utc + timedelta(seconds=seconds))

    def step(self, seconds: float) -> None:
        """Step the wall clock."""
        self._now = self._now._replace(utc=self._now.utc + timedelta(seconds=seconds))

    def reboot(self) -> None:
        """Begin another boot."""
        self._now = self._now._replace(mono_s=5.0)


@dataclass
class Disk:
    """What the journal would hold: alarm states in commits, of which a crash may lose the last."""

    boot: int = 0
    commits: list[tuple[int, list[str]]] = field(default_factory=list)
    events: list[EventDraft] = field(default_factory=list)

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        """Take one transaction."""
        self.events.extend(events)
        self.commits.append((self.boot, [alarm_to_json(alarm) for alarm in alarms]))

    def restored(self, lost: int) -> list[tuple[Alarm, bool]]:
        """Return what is left after a crash that lost the last ``lost`` commits, and whether it is of this boot."""
        self.commits = self.commits[: len(self.commits) - lost] if lost else self.commits
        latest = {
            alarm.id: (alarm, boot == self.boot)
            for boot, commit in self.commits
            for alarm in map(alarm_from_json, commit)
        }
        return list(latest.values())


class Watch(Protocol):
    """Who looks on."""

    def seen(self, point: str) -> None:
        """A sample of the point comes."""

    def look(self) -> None:
        """Something may have changed."""


class Plant:
    """One seed: a process that lives, dies and comes back, and the world around it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.clock, self.disk = Clock(), Disk()
        self.values: dict[str, float | bool | None] = dict.fromkeys(POINTS)
        self.failed: set[str] = set()
        self._engine = self._build()
        self._sweep_s = self.clock.now().mono_s

    @property
    def engine(self) -> Engine:
        """The rules that run now."""
        return self._engine

    def wanted(self, output: str) -> Level:
        """Return the wanted level of an output."""
        return self.annunciator.wanted[output]

    def _build(self) -> Engine:
        engine = Engine(_rules())
        self.annunciator = annunciator()
        self.facts = FactTable(POINTS.values())
        self.pipeline = Pipeline(self.facts, engine, self.annunciator, self.disk, self.clock)
        return engine

    def poll(self, point: str, value: float | bool | None, quality: Quality = Quality.GOOD) -> None:
        """A sample arrives; None: the device says that it is lost."""
        self.values[point] = value
        now = self.clock.now()
        self.pipeline.ingest([Sample(point, value, quality if value is not None else Quality.BAD, now.utc, now.mono_s)])

    def pass_time(self, seconds: float, polled: Sequence[str], watch: Watch) -> None:
        """Let time pass with all timers and sweeps; ``polled`` points repeat their value every second."""
        until_s = self.clock.now().mono_s + seconds
        while (next_s := min(self.pipeline.next_due_s() or self._sweep_s, self._sweep_s)) <= until_s:
            self.clock.advance(max(next_s - self.clock.now().mono_s, 0.0))
            if next_s < self._sweep_s:
                self.pipeline.timers()
            else:
                self._sweep_s += SWEEP_S
                self._repeat(polled, watch)
                self.pipeline.sweep()
            watch.look()
        self.clock.advance(until_s - self.clock.now().mono_s)

    def crash(self, same_boot: bool, lost: int) -> list[Alarm]:
        """The process dies and comes back, knowing only what is on the disk, which is returned."""
        if not same_boot:
            self.clock.reboot()
            self.disk.boot += 1
        saved = self.disk.restored(lost)
        self.values = dict.fromkeys(POINTS)
        self._engine = self._build()
        for same in (True, False):
            self._engine.restore([alarm for alarm, its in saved if its is same], same, self.clock.now())
        self.confirm(set())
        self._sweep_s = self.clock.now().mono_s
        return [alarm for alarm, _ in saved]

    def reload(self) -> None:
        """The rules are read anew between two samples."""
        before = self._engine
        sounds, dark = self.wanted("siren"), self.annunciator
        self._engine = Engine(slot.rule for slot in before.slots.values())
        changes = self._engine.adopt(before, self.clock.now())
        assert changes == [], "a reload of the same rules changes nothing"
        self.pipeline.engine = self._engine
        self.pipeline.refresh(self.clock.now())
        assert self.annunciator is dark and self.wanted("siren") is sounds

    def act(self, what: str, alarm: str) -> bool:
        """An operator acts; False if he may not."""
        now = self.clock.now()
        try:
            if what == "shelve":
                changes = self._engine.shelve(alarm, SHELF_S, LI, now)
            elif what == "unshelve":
                changes = self._engine.unshelve(alarm, LI, now)
            elif what == "silence":
                changes = self._engine.silence(alarm, LI, now)
            else:
                return self.pipeline.acknowledge(alarm, LI)
        except NotAllowed:
            return False
        self.disk.record([], [change.alarm for change in changes])
        self.pipeline.refresh(now)
        return bool(changes)

    def confirm(self, failed: set[str]) -> None:
        """Some outputs follow what is wanted, and ``failed`` ones do not."""
        self.failed = failed
        self.annunciator.unconfirmed(failed)
        self.pipeline.refresh(self.clock.now())

    def _repeat(self, polled: Sequence[str], watch: Watch) -> None:
        now = self.clock.now()
        known = [point for point in polled if self.values[point] is not None]
        for point in known:
            watch.seen(point)
        self.pipeline.ingest([Sample.good(point, self.values[point], now) for point in known])
