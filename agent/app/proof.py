"""The proof test: a golden picture goes all the way to a sounding siren, and nobody is in danger meanwhile.

The picture is judged by the camera's live worker, the real rules judge the facts in an engine of their own, and the
outputs of the alarm that they raise are switched on as a test. Live facts and alarms are never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.annunciation import Annunciator
from agent.annunciation.self_test import Tested, Tester
from agent.app.plan import Plan
from agent.core.errors import NotConnected
from agent.core.model import AlarmDefinition, EventDraft, Instant, Lane, Operator, Sample, Value
from agent.core.ports import Clock, Facts, Provable, Recorder, Sighting
from rules.engine import Engine
from rules.rule import Rule

_STEP_S = 1.0
LONGEST_S = 300.0
"""A rule that has not raised after so long a time with the same facts does not raise at all."""


class ShadowFacts:
    """What the golden picture shows, what the site assumes, and for the rest what is live; all of it fresh."""

    def __init__(self, stated: Mapping[str, Value], live: Facts, now: Instant) -> None:
        self._stated, self._live, self.now = stated, live, now

    def get(self, point: str, now_s: float) -> Sample | None:
        """Return the sample of ``point``; ``now_s`` is the real time."""
        if point in self._stated:
            return Sample.good(point, self._stated[point], self.now)
        return self._live.get(point, now_s)

    def fresh(self, now: Instant) -> list[Sample]:
        """Return everything that is stated, as seen at ``now``."""
        self.now = now
        return [Sample.good(point, value, now) for point, value in self._stated.items()]


@dataclass(frozen=True)
class Raised:
    """The most urgent alarm that came of it, and the time that its rule took (virtual seconds)."""

    definition: AlarmDefinition
    engine: Engine
    after_s: float


def concerned(rules: Iterable[Rule], points: Iterable[str]) -> list[Rule]:
    """Return the rules that look at any of these points, freed of what would suppress them."""
    wanted = set(points)
    return [
        replace(rule, calendar=None, suppression=None, definition=replace(rule.definition, parents=()))
        for rule in rules
        if wanted & set(rule.condition.inputs)
    ]


def rehearse(rules: Sequence[Rule], facts: ShadowFacts, now: Instant) -> Raised | None:
    """Let virtual time pass until an alarm is raised. Pure in (rules, facts, now)."""
    engine, begun_s = Engine(rules), now.mono_s
    while now.mono_s - begun_s <= LONGEST_S:
        engine.evaluate(_Frozen(facts, begun_s), facts.fresh(now), now)
        engine.sweep(_Frozen(facts, begun_s), (), now)
        calling = [engine.definitions[id_] for id_, alarm in engine.standing.items() if alarm.calls]
        if calling:
            return Raised(min(calling, key=lambda each: each.priority), engine, now.mono_s - begun_s)
        due_s = engine.next_due_s()
        step_s = min(max((due_s or now.mono_s + _STEP_S) - now.mono_s, 0.001), _STEP_S)
        now = Instant(now.mono_s + step_s, now.utc)
    return None


class _Frozen:
    """Live facts do not grow old while virtual time passes."""

    def __init__(self, facts: ShadowFacts, now_s: float) -> None:
        self._facts, self._now_s = facts, now_s

    def get(self, point: str, now_s: float) -> Sample | None:  # noqa: ARG002 - see above
        return self._facts.get(point, self._now_s)


class Prover:
    """Proves one camera at a time. ``rules`` returns those that run now: they may be swapped."""

    def __init__(
        self,
        plan: Plan,
        rules: Callable[[], Iterable[Rule]],
        live: Facts,
        tester: Tester,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._plan, self._rules, self._live, self._tester = plan, rules, live, tester
        self._recorder, self._clock = recorder, clock
        self._turn = asyncio.Lock()

    async def prove(self, camera: str | None, operator: Operator) -> list[dict[str, Any]]:
        """Prove one camera, or each. Raises KeyError for one that does not exist."""
        names = list(self._plan.site.cameras) if camera is None else [camera]
        for name in names:
            _ = self._plan.site.cameras[name]
        async with self._turn:
            return [await self._prove(name, operator) for name in names]

    async def _prove(self, camera: str, operator: Operator) -> dict[str, Any]:
        result: dict[str, Any] = {"camera": camera, "passed": False, "picture": "", "alarm": "", "outputs": []}
        result |= {"legs_ms": {}, "reason": ""}
        result["reason"] = await self._walk(camera, operator, result)
        result["passed"] = not result["reason"]
        now = self._clock.now()
        told = {**result, "operator": {"name": operator.name, "via": operator.via, "note": operator.note}}
        self._recorder.record([EventDraft("proof.result", Lane.STATE, camera, told, now, test=True)], ())
        self._tester.pipeline.ingest([Sample.good(f"{camera}.proof_failed", not result["passed"], now)])
        return result

    async def _walk(self, camera: str, operator: Operator, result: dict[str, Any]) -> str:
        """Go through the legs; return why it failed, or nothing."""
        driver, began_s = self._plan.drivers[camera], self._clock.now().mono_s
        assert isinstance(driver, Provable)
        try:
            sighting = await driver.prove()
        except NotConnected as error:
            return str(error)
        legs = result["legs_ms"]
        legs["picture_to_facts"] = _ms(self._clock.now().mono_s - began_s)
        result["picture"], result["facts"] = sighting.picture, {each.point: each.value for each in sighting.facts}
        raised = self._rehearse(camera, sighting)
        if raised is None:
            return "no rule raises an alarm on these facts; is something else it needs missing? See 'assume'"
        result["alarm"], legs["rule"] = raised.definition.id, _ms(raised.after_s)
        tested = await self._sound(raised, operator)
        result["outputs"] = [vars(each) for each in tested]
        if not tested:
            return f"{raised.definition.id} drives no output"
        legs["outputs"] = max(each.latency_ms or 0.0 for each in tested)
        return "; ".join(f"{each.output}: {each.reason}" for each in tested if not each.confirmed)

    def _rehearse(self, camera: str, sighting: Sighting) -> Raised | None:
        options = self._plan.site.proof_test
        seen = {each.point: each.value for each in sighting.facts}
        stated = {f"{camera}.camera_ok": True, f"{camera}.online": True, **(options.assume if options else {}), **seen}
        now = self._clock.now()
        return rehearse(concerned(self._rules(), seen), ShadowFacts(stated, self._live, now), now)

    async def _sound(self, raised: Raised, operator: Operator) -> list[Tested]:
        kinds = {output.name: output.kind for output in self._plan.outputs}
        shown = Annunciator(kinds, self._plan.backups, lambda: None, self._plan.annunciation)
        alarm = raised.engine.alarms[raised.definition.id]
        assert alarm.called is not None
        shown.refresh([(raised.definition, alarm)], alarm.called)
        names = [name for name, level in shown.wanted.items() if level != "off"]
        return list(await asyncio.gather(*(self._tester.test(name, 1.0, operator) for name in names)))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
