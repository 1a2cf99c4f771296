"""From a sample to a wanted output, without an await: facts → rules → outputs, and only then the journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from agent.annunciation import Annunciator
from agent.core.hazard import Hazard
from agent.core.model import Alarm, AlarmDefinition, Change, EventDraft, Instant, Operator, Sample
from agent.core.ports import Clock, Recorder, RuleEngine
from agent.facts import FactTable
from agent.flood import SUMMARY, is_muted_by_flood
from agent.operations import Operations
from agent.policy import Policy
from agent.reports import alarm_event, operator_event, output_event

BEAT_LIMIT_S = 5.0
"""Everything is evaluated once a second; after so long without, the rules are stuck."""


class Pipeline:
    """The nervous system. Every method is synchronous and may be called from the event loop only.

    ``rearm`` is called whenever the next timer may have moved; each of ``heard`` with all samples that said something
    new, also that a point went stale.
    """

    def __init__(
        self,
        facts: FactTable,
        engine: RuleEngine,
        annunciator: Annunciator,
        recorder: Recorder,
        clock: Clock,
        policy: Policy | None = None,
    ) -> None:
        self.facts = facts
        self.engine = engine
        self.annunciator = annunciator
        self.operations = Operations(policy or Policy(), clock.now())
        self.beat_s = clock.now().mono_s
        self.rearm: Callable[[], None] = lambda: None
        self.watched: Mapping[str, Callable[[Sample], None]] = {}
        """Who is told of each change of a point, after the rules: buttons."""
        self._tested: set[str] = set()
        self.heard: list[Callable[[Sequence[Sample]], None]] = []
        self._recorder = recorder
        self._clock = clock

    def ingest(self, samples: Sequence[Sample]) -> None:
        """Take samples in, and act on those that changed; of a point that comes twice, each value counts."""
        for each in rounds(samples):
            changed = self.facts.update(each, self.engine.counted)
            if changed:
                self._evaluate(changed)
                self._tell(changed)
                self._let_hear(changed)

    def timers(self) -> None:
        """Act on the timers that are due."""
        self._evaluate(())
        ends_s = self.annunciator.next_due_s()
        if ends_s is not None and ends_s <= self._clock.now().mono_s:
            self.refresh(self._clock.now())

    def sweep(self) -> None:
        """Evaluate what time alone changes: what went stale sends no sample."""
        now = self._clock.now()
        stale = self.facts.expired(now.mono_s)
        self._apply(self.engine.sweep(self.facts, stale, now), now)
        self._tell(stale)
        self._let_hear(stale)
        floods = self.operations.look(now)
        self.refresh(self._clock.now())
        if floods:
            self._recorder.record(floods, ())
        self.beat_s = self._clock.now().mono_s

    def is_alive(self) -> bool:
        """Tell whether everything was evaluated lately."""
        return self._clock.now().mono_s - self.beat_s < BEAT_LIMIT_S

    def standing(self) -> list[tuple[AlarmDefinition, Alarm]]:
        """Return the alarms that are not normal."""
        return list(self._live())

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge; False when there was nothing to. Raises KeyError for an unknown alarm, NotAllowed."""
        now = self._clock.now()
        stale = self.facts.expired(now.mono_s)
        self._evaluate(stale)  # a latched alarm is not reset on what was known a moment ago
        self._let_hear(stale)
        definition = self.engine.definitions[alarm]
        self.operations.policy.permit_acknowledge(self.engine.alarms[alarm], definition, operator)
        return self._done(self.engine.acknowledge(alarm, operator, now), now)

    def silence(self, alarm: str | None, operator: Operator) -> int:
        """Silence one alarm or all; return how many."""
        now = self._clock.now()
        changes = self.engine.silence(alarm, operator, now)
        self._apply(changes, now)
        return len(changes)

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        """Put an alarm away for a while. Raises KeyError, NotAllowed."""
        now = self._clock.now()
        return self._done(self.engine.shelve(alarm, seconds, operator, now), now)

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        """Take an alarm off its shelf; False when it lay on none. Raises KeyError."""
        now = self._clock.now()
        return self._done(self.engine.unshelve(alarm, operator, now), now)

    def take_out(self, alarm: str, second: str, operator: Operator) -> bool:
        """Take an alarm out of service. Raises KeyError, NotAllowed."""
        now = self._clock.now()
        return self._done(self.engine.take_out(alarm, second, operator, now), now)

    def bring_back(self, alarm: str, operator: Operator) -> bool:
        """Put an alarm into service again; False when it was. Raises KeyError."""
        now = self._clock.now()
        return self._done(self.engine.bring_back(alarm, operator, now), now)

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator) -> bool:
        """Keep what the centre says of an alarm's hazard, and tell; return whether it was raised again since."""
        now = self._clock.now()
        self._apply(self.engine.tell_hazard(alarm, hazard, operator, now), now)
        return hazard.recurs(self.engine.alarms[alarm].occurrence)

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        """Switch outputs on for a while. Raises KeyError for an unknown output."""
        names = sorted(outputs) if outputs is not None else sorted(self.annunciator.outputs)
        unknown = [name for name in names if name not in self.annunciator.outputs]
        if unknown:
            raise KeyError(unknown[0])
        now = self._clock.now()
        self.annunciator.test(names, now.mono_s + seconds)
        self._recorder.record(
            [operator_event("test-outputs", {"outputs": names, "seconds": seconds}, operator, now)], ()
        )
        self.refresh(now)
        self.rearm()

    def swap(self, engine: RuleEngine, adopted: Sequence[Change], now: Instant) -> None:
        """Go on with ``engine``, which has adopted the alarms of the one before; ``adopted`` is what that changed.

        All in one go between two samples: what its rules make of the facts is known before the outputs are told.
        """
        before, self.engine = self.engine, engine
        told = list(self._events(adopted, engine, before))
        self.operations.note(adopted, {**before.definitions, **engine.definitions}, now)
        changes = engine.evaluate(self.facts, (), now)
        self.refresh(now)  # siren before disk; and of nothing that is only half done
        self._recorder.record(told, [change.alarm for change in adopted])
        self._apply(changes, now)

    def refresh(self, now: Instant) -> None:
        """Recompute the wanted levels, and journal those that changed."""
        before, self._tested = self._tested, self.annunciator.testing(now.mono_s)
        testing = before | self._tested
        changed = self.annunciator.refresh(self._live(), now)
        if changed:
            self._recorder.record([output_event(name, lvl, now, test=name in testing) for name, lvl in changed], ())

    def next_due_s(self) -> float | None:
        """Return the monotonic time at which ``timers`` should be called next."""
        due = [due_s for due_s in (self.engine.next_due_s(), self.annunciator.next_due_s()) if due_s is not None]
        return min(due, default=None)

    def _tell(self, changed: Sequence[Sample]) -> None:
        if not self.watched:
            return
        for sample in changed:
            if sample[0] in self.watched:
                self.watched[sample[0]](sample)

    def _let_hear(self, samples: Sequence[Sample]) -> None:
        for listener in self.heard if samples else ():
            listener(samples)

    def muted_zones(self) -> Collection[str]:
        """Return the zones whose P3 and P4 alarms a flood's summary stands for: none unless it calls people itself."""
        summary = self.engine.standing.get(SUMMARY)
        return self.operations.flood.zones if summary is not None and summary.calls else ()

    def _evaluate(self, changed: Sequence[Sample]) -> None:
        now = self._clock.now()
        self._apply(self.engine.evaluate(self.facts, changed, now), now)

    def _apply(self, changes: Sequence[Change], now: Instant) -> None:
        if changes:
            self.refresh(now)  # siren before disk
            self.operations.note(changes, self.engine.definitions, now)
            told = list(self._events(changes, self.engine))
            self._recorder.record(told, [change.alarm for change in changes])
        self.rearm()

    def _done(self, changes: Sequence[Change], now: Instant) -> bool:
        self._apply(changes, now)
        return bool(changes)

    def _events(self, changes: Sequence[Change], *engines: RuleEngine) -> Iterator[EventDraft]:
        """Yield what to tell, as the first of ``engines`` knows it that has the alarm."""
        for change in changes:
            if change.transition is not None:
                id_, at = change.alarm.id, change.transition.at
                engine = next(each for each in engines if id_ in each.definitions)
                definition = engine.definitions[id_]
                inputs = {point: self.facts.get(point, at.mono_s) for point in definition.inputs}
                crew = self.operations.policy.crew(at.utc)
                yield alarm_event(change.transition, change.alarm, definition, inputs, engine.delays(id_), crew)

    def _live(self) -> Iterator[tuple[AlarmDefinition, Alarm]]:
        """What people are called by; a flood's summary stands for the less urgent alarms while it calls itself."""
        definitions, standing, muted = self.engine.definitions, self.engine.standing, self.muted_zones()
        found = ((definitions[id_], alarm) for id_, alarm in standing.items())
        return (pair for pair in found if not is_muted_by_flood(*pair, muted)) if muted else found


def rounds(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Part a batch so that no point comes twice in one: a peak in a device's queue must not be overlooked."""
    if len(samples) < 2 or len({sample[0] for sample in samples}) == len(samples):
        yield samples
        return
    seen: set[str] = set()
    begin = 0
    for index, sample in enumerate(samples):
        if sample[0] in seen:
            yield samples[begin:index]
            seen, begin = set(), index
        seen.add(sample[0])
    yield samples[begin:]
