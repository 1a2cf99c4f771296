"""Measures what cameras cost and says at which pace each may go, without swinging. Pure; time is an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp

from models.budget import Need, allot, floor_of, used
from models.wire import Report

HEADROOM = 0.95
"""So much of the budget is shared out; what is measured varies by a little. The rest is for floors only."""
GONE_S = 5.0
"""Who has told nothing for so long takes nothing; a worker that lives tells at least each 3 s."""
RISE, RISE_S = 1.1, 10.0
"""Paces rise when somebody's may by a tenth, and has been so for that long. They fall at once."""
PAUSE_S, BACK_S = 10.0, 30.0
"""Nobody is paused before it has been necessary for so long, nor begins again before it was possible for so long."""
_COST_S, _BASE = 0.06, 0.03
"""What a camera is taken to cost before it was measured."""
_PERIOD_S = 3.0
_DEARER_S, _CHEAPER_S = 6.0, 15.0
"""How quickly a rise, and how slowly a fall, of what was measured is believed: people come and go."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a worker tells of itself: CPU seconds in all and on ``judged`` pictures, since it began.

    ``at_s`` is when it told so (monotonic); ``idle`` that no pictures come, so that it costs its base only.
    """

    cpu_s: float
    looked_s: float
    judged: int
    at_s: float
    idle: bool = False


def load_of(report: Report, now_s: float) -> Load:
    """Return what a report of ``now_s`` (monotonic) tells of its worker's cost."""
    judged = report.counters.get("inferred", 0) + report.counters.get("gated", 0)
    return Load(report.cpu_s, report.looked_s, judged, now_s, idle=not report.is_pictured and report.granted > 0)


@dataclass(slots=True)
class Meter:
    """What one camera costs: ``cost_s`` CPU seconds a picture and ``base`` cores whatever the pace."""

    cost_s: float = _COST_S
    base: float = _BASE
    last: Load | None = None
    since: Load | None = None

    def note(self, load: Load) -> None:
        """Take up what the worker told; a worker that began anew counts from there."""
        before, self.last = self.since, load
        if before is None or load.cpu_s < before.cpu_s or load.judged < before.judged:
            self.since = load
        elif load.at_s - before.at_s >= _PERIOD_S:
            self._measure(before, load)
            self.since = load

    def is_gone(self, now_s: float) -> bool:
        """Tell whether no worker is there."""
        return self.last is None or now_s - self.last.at_s > GONE_S

    def _measure(self, before: Load, load: Load) -> None:
        passed_s, looked_s = load.at_s - before.at_s, load.looked_s - before.looked_s
        self.base = _nearer(self.base, max(0.0, load.cpu_s - before.cpu_s - looked_s) / passed_s, passed_s)
        if load.judged > before.judged:
            self.cost_s = _nearer(self.cost_s, looked_s / (load.judged - before.judged), passed_s)


def _nearer(old: float, new: float, passed_s: float) -> float:
    return new + (old - new) * exp(-passed_s / (_DEARER_S if new > old else _CHEAPER_S))


@dataclass
class Ration:
    """Keeps all cameras within ``cores``. ``asked`` are their paces, and ``granted`` those that they may go at."""

    cores: float
    asked: Mapping[str, float]
    granted: dict[str, float] = field(default_factory=dict)
    _meters: dict[str, Meter] = field(default_factory=dict)
    _others: dict[str, Meter] = field(default_factory=dict)
    _rises_s: float | None = None
    _pauses_s: float | None = None

    def __post_init__(self) -> None:
        self.granted = dict(self.asked)
        self._meters = {name: Meter() for name in self.asked}

    def note(self, camera: str, load: Load) -> None:
        """Take up what a camera's worker told."""
        self._meters[camera].note(load)

    def note_other(self, name: str, load: Load) -> None:
        """Take up what somebody else took of the same cores, at a pace of its own: a model in shadow."""
        told = Load(load.cpu_s, 0.0, 0, load.at_s, idle=True)
        self._others.setdefault(name, Meter(base=0.0)).note(told)

    def decide(self, weights: Mapping[str, float], now_s: float) -> Mapping[str, float]:
        """Return the pace of each camera at ``now_s`` (monotonic), 0 for one that is paused.

        Who has no worker or no pictures gives its share to the rest, and keeps its pace for when it is back. All
        paces are changed together, so that they are even.
        """
        needs = {name: self._need(name, weights.get(name, 1.0)) for name in self.asked if self._sees(name, now_s)}
        meters = [each for name, each in self._meters.items() if name not in needs] + [*self._others.values()]
        cores = max(0.0, self.cores - sum(each.base for each in meters if not each.is_gone(now_s)))
        target = allot(needs, HEADROOM * cores)
        if used(needs, self.granted) > cores:
            self._fall(_kept_at_floors(target, needs, cores), needs, now_s)
        else:
            self._pauses_s = None
            if self._may_rise(target, now_s):
                self.granted.update(target)
                self._rises_s = None
        return self.granted

    def needs(self, weights: Mapping[str, float]) -> dict[str, Need]:
        """Return what each camera asks for, as far as it was measured."""
        return {name: self._need(name, weights.get(name, 1.0)) for name in self.asked}

    def _need(self, name: str, weight: float) -> Need:
        return Need(self.asked[name], self._meters[name].cost_s, self._meters[name].base, weight)

    def _sees(self, name: str, now_s: float) -> bool:
        meter = self._meters[name]
        return not meter.is_gone(now_s) and meter.last is not None and not meter.last.idle

    def _fall(self, target: Mapping[str, float], needs: Mapping[str, Need], now_s: float) -> None:
        """Go down to ``target``; before somebody is paused, all see at the least pace for a while."""
        self._rises_s = None
        if all(pace or not self.granted[name] for name, pace in target.items()):
            self._pauses_s = None
        elif self._pauses_s is None or now_s - self._pauses_s < PAUSE_S:
            self._pauses_s = now_s if self._pauses_s is None else self._pauses_s
            target = {name: min(self.granted[name], need.least) for name, need in needs.items()}
        self.granted.update(target)

    def _may_rise(self, target: Mapping[str, float], now_s: float) -> bool:
        """Tell whether for long enough somebody might have had clearly more."""
        rises = [pace for name, pace in target.items() if pace >= RISE * self.granted[name] and pace > 0]
        rises += [pace for name, pace in target.items() if self.granted[name] < pace == self.asked[name]]
        # Just below the floor all is uncertain: nobody is held there for want of a tenth more.
        rises += [pace for name, pace in target.items() if self.granted[name] < floor_of(self.asked[name]) <= pace]
        if not rises:
            self._rises_s = None
        elif self._rises_s is None:
            self._rises_s = now_s
        waits_s = BACK_S if any(pace and not self.granted[name] for name, pace in target.items()) else RISE_S
        return self._rises_s is not None and now_s - self._rises_s >= waits_s


def _kept_at_floors(target: Mapping[str, float], needs: Mapping[str, Need], cores: float) -> Mapping[str, float]:
    """Return ``target``, or everybody at the floor where headroom alone would bring somebody below it."""
    floors = {name: need.floor for name, need in needs.items()}
    is_short = any(pace < floors[name] for name, pace in target.items())
    return floors if is_short and used(needs, floors) <= cores else target
