"""Plays scenarios in virtual time, as the agent would live them: timers when due, a sweep each second."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import UTC
from functools import partial
from itertools import count
from math import inf, isclose

from agent.core.clock import ManualClock
from agent.core.errors import Fault, NotAllowed
from agent.core.model import Action, Alarm, Change, Instant, Operator, PointInfo, Quality, Sample, Value
from rules.engine import Engine
from rules.memories import recall, remembered
from rules.story import ExpectOptions, SettingOptions, StepOptions, Story

SWEEP_S = 1.0
_OPERATOR = Operator("scenario", "test", "test")
_MOST_SAMPLES = 100_000
"""A ramp or repeat longer than that is a mistake."""


def play(story: Story) -> list[Fault]:
    """Play one scenario; return a fault for each expectation that did not come true."""
    return list(Player(story).run())


class TestFacts:
    """The facts of a scenario: as the agent's, with what goes stale."""

    __test__ = False  # it is no test, whatever a collector makes of its name

    def __init__(self, points: Mapping[str, PointInfo]) -> None:
        self.latest: dict[str, Sample] = {}
        self._limits_s = {id_: info.stale_after_s for id_, info in points.items() if info.stale_after_s is not None}
        self._told: set[str] = set()

    def put(self, samples: Sequence[Sample], counted: Container[str] = ()) -> list[Sample]:
        """Take samples in; return those that say something new, and all of ``counted`` points."""
        changed = []
        for sample in samples:
            before = self.get(sample.point, sample.received_s)
            self.latest[sample.point] = sample
            if before is None or before[1:3] != sample[1:3] or sample.point in self._told or sample.point in counted:
                changed.append(sample)
            self._told.discard(sample.point)
        return changed

    def get(self, point: str, now_s: float) -> Sample | None:
        """Return the newest sample; BAD when it is stale; None when there was none."""
        sample, limit_s = self.latest.get(point), self._limits_s.get(point, inf)
        if sample is None or now_s - sample.received_s <= limit_s:
            return sample
        return Sample(point, None, Quality.BAD, sample.received_at, sample.received_s, None, "stale")

    def expired(self, now: Instant) -> list[Sample]:
        """Return what has gone stale since the last call."""
        gone = [point for point in self._limits_s if point in self.latest and point not in self._told]
        found = [self.get(point, now.mono_s) for point in gone]
        stale = [each for each in found if each is not None and each.reason == "stale"]
        self._told.update(each.point for each in stale)
        return stale


class Player:
    """One play. ``t_s`` counts from the start of the scenario, whatever the clocks do."""

    def __init__(self, story: Story) -> None:
        start = story.options.start
        utc = (start if start.tzinfo is not None else start.replace(tzinfo=story.zone)).astimezone(UTC)
        self._story = story
        self._clock = ManualClock(utc=utc)
        self._base_s = self._clock.now().mono_s
        self._t_s, self._sweep_s, self._judged_s = 0.0, SWEEP_S, -inf
        self._engine, self._facts = Engine(story.rules), TestFacts(story.points)
        self._queue: list[tuple[float, int, str, SettingOptions]] = []
        self._number = count()
        self._happened: list[tuple[str, Action]] = []
        self._asked: dict[str, int] = {}

    def run(self) -> Iterator[Fault]:
        """Yield what did not come true."""
        for index, step in enumerate(self._story.options.steps):
            self._until(step.at)
            if step.restart is not None:
                self._restart(step.restart == "same_boot", step.down)
            self._clock.step_utc(step.clock)
            self._set(step)
            for message in (*self._act(step), *self._unmet(step)):
                place, text = message
                yield self._story.fault(("steps", index, *place), f"at {step.at:g}s: {text}")

    def _until(self, end_s: float) -> None:
        """Let time pass."""
        while True:
            due_s = (self._engine.next_due_s() or inf) - self._base_s
            due_s = due_s if due_s > self._judged_s else inf
            next_s = min(due_s, self._sweep_s, self._queue[0][0] if self._queue else inf)
            if next_s > end_s and not isclose(next_s, end_s, abs_tol=1e-9):
                break
            self._advance(next_s)
            self._happen(due_s <= next_s)
        self._advance(end_s)

    def _happen(self, due: bool) -> None:
        now = self._clock.now()
        if self._sweep_s <= self._t_s:
            self._sweep_s += SWEEP_S
            self._note(self._engine.sweep(self._facts, self._facts.expired(now), now))
        elif due:
            self._judged_s = self._t_s
            self._note(self._engine.evaluate(self._facts, (), now))
        else:
            _, _, point, setting = heapq.heappop(self._queue)
            self._ingest([_sample(point, setting, setting.value, now)])

    def _advance(self, t_s: float) -> None:
        self._clock.advance(max(self._base_s + t_s - self._clock.now().mono_s, 0.0))
        self._t_s = max(t_s, self._t_s)

    def _restart(self, same_boot: bool, down_s: float) -> None:
        """Begin anew with the saved alarms and memories, nothing known; then every point is read again."""
        saved, known = list(self._engine.alarms.values()), self._facts.latest
        kept = [row for slot in self._engine.slots.values() if (row := remembered(slot)) is not None]
        self._queue = [each for each in self._queue if each[0] > self._t_s + down_s]
        self._advance(self._t_s + down_s)
        self._sweep_s = self._t_s + SWEEP_S
        if not same_boot:
            self._clock = ManualClock(7.0, self._clock.now().utc)
            self._base_s = 7.0 - self._t_s
        now = self._clock.now()
        self._engine, self._facts, self._judged_s = Engine(self._story.rules), TestFacts(self._story.points), -inf
        self._engine.restore(saved, same_boot, now)
        list(recall(self._engine.slots, [(row, same_boot) for row in kept]))
        self._note(self._engine.sweep(self._facts, (), now))
        again = [each._replace(received_s=now.mono_s, received_at=now.utc) for each in known.values()]
        self._facts.put(again)
        self._note(self._engine.evaluate(self._facts, None, now))

    def _set(self, step: StepOptions) -> None:
        now, samples = self._clock.now(), []
        for point, setting in step.set.items():
            self._queue = [each for each in self._queue if each[2] != point]
            heapq.heapify(self._queue)
            if setting.ramp is None and not setting.repeat:
                samples.append(_sample(point, setting, setting.value, now))
            for delay_s, value in self._series(point, setting):
                once = setting.model_copy(update={"value": value})
                heapq.heappush(self._queue, (self._t_s + delay_s, next(self._number), point, once))
        self._ingest(samples)
        self._until(self._t_s)

    def _series(self, point: str, setting: SettingOptions) -> Iterator[tuple[float, Value]]:
        """Yield the values of a ramp or a repetition, and how long after the step each of them comes."""
        if setting.repeat:
            for index in range(min(len(setting.repeat) * setting.times, _MOST_SAMPLES)):
                yield index * setting.every, setting.repeat[index % len(setting.repeat)]
        elif setting.ramp is not None:
            before = self._facts.latest.get(point)
            begin = before.value if before is not None and isinstance(before.value, int | float) else 0.0
            steps = max(round(setting.over / setting.every), 1)
            for index in range(1, min(steps, _MOST_SAMPLES) + 1):
                yield index * setting.every, begin + (setting.ramp - begin) * index / steps

    def _ingest(self, samples: Sequence[Sample]) -> None:
        changed = self._facts.put(samples, self._engine.counted)
        self._note(self._engine.evaluate(self._facts, changed, self._clock.now()))

    def _act(self, step: StepOptions) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Do what people do; tell what was refused and should not have been, or the other way round."""
        done = False
        for place, act in self._acts(step):
            done = True
            try:
                self._note(act())
            except NotAllowed as error:
                if not step.refused:
                    yield place, f"refused: {error}"
            else:
                if step.refused:
                    yield place, "was allowed, and should have been refused"
        if step.refused and not done:
            yield ("refused",), "nobody did anything in this step that could be refused"

    def _acts(self, step: StepOptions) -> Iterator[tuple[tuple[str | int, ...], Callable[[], list[Change]]]]:
        engine, now = self._engine, self._clock.now()
        for index, alarm in enumerate(step.acknowledge):
            yield ("acknowledge", index), partial(engine.acknowledge, alarm, _OPERATOR, now)
        for index, alarm in enumerate(step.silence):
            yield ("silence", index), partial(engine.silence, alarm, _OPERATOR, now)
        for alarm, shelf in step.shelve.items():
            yield ("shelve", alarm), partial(engine.shelve, alarm, shelf.for_, _because(shelf.reason), now)
        for index, alarm in enumerate(step.unshelve):
            yield ("unshelve", index), partial(engine.unshelve, alarm, _OPERATOR, now)
        for alarm, service in step.take_out.items():
            yield ("take_out", alarm), partial(engine.take_out, alarm, service.second, _because(service.reason), now)
        for index, alarm in enumerate(step.bring_back):
            yield ("bring_back", index), partial(engine.bring_back, alarm, _OPERATOR, now)

    def _unmet(self, step: StepOptions) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for alarm, wanted in step.expect.items():
            for text in _differences(self._engine.alarms[alarm], wanted):
                yield ("expect", alarm), text
        for alarm, actions in step.events.items():
            begin = self._asked.get(alarm, 0)
            self._asked[alarm] = len(self._happened)
            seen = tuple(action for id_, action in self._happened[begin:] if id_ == alarm)
            if seen != actions:
                yield ("events", alarm), f"{alarm} was {_list(seen)}, expected {_list(actions)}"

    def _note(self, changes: Sequence[Change]) -> None:
        self._happened += [(each.alarm.id, each.transition.action) for each in changes if each.transition is not None]


def _differences(alarm: Alarm, wanted: ExpectOptions) -> Iterator[str]:
    for name in wanted.model_fields_set:
        expected, found = getattr(wanted, name), getattr(alarm, name)
        if expected is not None and found != expected:
            label = "" if name == "state" else f"{name.replace('_', '-')}: "
            yield f"{alarm.id} is {label}{found}, expected {expected}"


def _sample(point: str, setting: SettingOptions, value: Value, now: Instant) -> Sample:
    quality = Quality.BAD if value is None else setting.quality or Quality.GOOD
    return Sample(point, value, quality, now.utc, now.mono_s, None, setting.reason or None)


def _because(reason: str) -> Operator:
    return Operator(_OPERATOR.name, _OPERATOR.via, reason)


def _list(actions: Sequence[Action]) -> str:
    return ", ".join(actions) or "left alone"
