"""What proves that sirens sound, put together: the self-test, and the proof test with its schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from agent.annunciation.self_test import SelfTest, SelfTestOptions, Tester
from agent.app.plan import Plan
from agent.app.proof import Prover
from agent.core.calendars import Weekly, clock_was_set, time_zone
from agent.core.errors import NotAllowed
from agent.core.model import Operator
from agent.core.ports import Clock, Recorder
from agent.outputs import Output
from agent.pipeline import Pipeline
from agent.supervisor import Leaf
from rules.engine import Engine
from rules.rule import Rule

_LOOK_S = 1.0


class Trials:
    """Implements ``agent.api.trials.Trials``."""

    def __init__(self, plan: Plan, pipeline: Pipeline, recorder: Recorder, clock: Clock, state: Path) -> None:
        outputs: dict[str, Output] = {output.name: output for output in plan.outputs}
        tester = Tester(pipeline, outputs, clock)
        self._plan, self._clock, self._pipeline = plan, clock, pipeline
        self._zone = time_zone(plan.site.gateway.timezone)
        options = plan.site.self_test or SelfTestOptions()
        self._self_test = SelfTest(options, self._zone, tester, recorder, state / "self_test.json")
        self._prover = Prover(plan, lambda: _running(pipeline), pipeline.facts, tester, recorder, clock)

    def leaves(self) -> Iterator[Leaf]:
        """Yield what must run."""
        if self._plan.outputs:
            yield Leaf("self-test", self._self_test.run)
        if self._plan.site.proof_test is not None and self._plan.site.proof_test.at is not None:
            yield Leaf("proof-test", self._prove_by_schedule)

    def start_self_test(self, operator: Operator) -> None:
        """Switch every output on in turn, now. Raises NotAllowed while an alarm would drown it, or another runs."""
        loud = [name for name in self._self_test.outputs if self._pipeline.annunciator.is_preempted(name)]
        if loud:
            raise NotAllowed(f"an alarm drives {', '.join(loud)} now; test when it is over")
        if self._self_test.is_asked:
            raise NotAllowed("a self-test is under way; wait for its end")
        self._self_test.start(operator)

    def confirm_test(self, heard: bool, operator: Operator) -> bool:
        """Take note of what an operator heard."""
        return self._self_test.confirm(heard, operator)

    async def prove(self, camera: str | None, operator: Operator) -> list[dict[str, Any]]:
        """Prove one camera, or each."""
        return await self._prover.prove(camera, operator)

    async def _prove_by_schedule(self) -> None:
        options = self._plan.site.proof_test
        assert options is not None and isinstance(options.at, Weekly)
        done = self._clock.now().utc
        while True:
            now = self._clock.now()
            if clock_was_set(now.utc) and options.at.latest(now.utc, self._zone) > done:
                done = now.utc
                await self.prove(None, Operator("proof-test", "schedule"))
            await asyncio.sleep(_LOOK_S)


def _running(pipeline: Pipeline) -> Iterator[Rule]:
    """Yield the rules that run now: they may have been swapped since the start."""
    return (slot.rule for slot in cast(Engine, pipeline.engine).slots.values())
