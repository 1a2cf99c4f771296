"""The weekly test: every named siren and lamp is switched on in turn and must be seen to be on.

A test is marked as one, gives way to real alarms, and is an alarm itself when it fails or does not take place.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Protocol

import structlog
from pydantic import BeforeValidator, Field

from agent.annunciation.annunciator import Annunciator
from agent.core.calendars import Weekly, clock_was_set
from agent.core.model import EventDraft, Instant, Lane, Level, Operator, Sample, Value
from agent.core.options import Options
from agent.core.ports import Clock, Recorder

log = structlog.get_logger(__name__)

POINT = "gateway.self_test_ok"
GRACE = timedelta(minutes=15)
"""A test that could not begin so long after its time was missed."""
CONFIRM_S = 2.5
"""How long an output may take to be seen on: shorter than what makes it failed, whose alarm would end the test."""
_PREEMPTED_S = 60.0


class SelfTestOptions(Options):
    """``outputs`` are tested one after another, ``seconds`` each; without any, all."""

    at: Annotated[Weekly | None, BeforeValidator(Weekly.parse)] = None
    outputs: tuple[str, ...] = ()
    seconds: float = Field(default=3.0, gt=0, le=60)


class ProofTestOptions(Options):
    """``assume`` holds values of points that the rules need besides what the golden picture shows."""

    at: Annotated[Weekly | None, BeforeValidator(Weekly.parse)] = None
    assume: dict[str, Value] = Field(default_factory=dict)


class Seen(Protocol):
    """An output as it was last read back."""

    reason: str
    confirmed_s: float | None

    def is_at(self, level: Level) -> bool:
        """Tell whether it was last seen at ``level``."""


class Switching(Protocol):
    """What the test needs of the pipeline."""

    annunciator: Annunciator

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        """Switch outputs on for a while."""

    def ingest(self, samples: Sequence[Sample]) -> None:
        """Take samples in."""

    def refresh(self, now: Instant) -> None:
        """Recompute the wanted levels."""


@dataclass(frozen=True)
class Tested:
    """One output: whether it was seen on, and how long that took. ``latency_ms`` is None if it was not."""

    output: str
    confirmed: bool
    latency_ms: float | None = None
    reason: str = ""


class Tester:
    """Switches one output on and watches it."""

    def __init__(self, pipeline: Switching, outputs: Mapping[str, Seen], clock: Clock) -> None:
        self.pipeline, self.outputs, self.clock = pipeline, outputs, clock

    async def test(self, output: str, seconds: float, operator: Operator) -> Tested:
        """Return what was seen. Waits while a real alarm sounds there, up to a minute."""
        preempted_s = self.clock.now().mono_s + _PREEMPTED_S
        while self.pipeline.annunciator.is_preempted(output):
            if self.clock.now().mono_s > preempted_s:
                return Tested(output, False, reason="an alarm sounds; not tested")
            await asyncio.sleep(0.1)
        began_s = self.clock.now().mono_s
        self.pipeline.test_outputs(max(seconds, CONFIRM_S), [output], operator)
        seen = await self._watch(output, began_s)
        await asyncio.sleep(max(0.0, began_s + seconds - self.clock.now().mono_s))
        self.pipeline.annunciator.end_test([output])
        self.pipeline.refresh(self.clock.now())
        return seen

    async def _watch(self, output: str, began_s: float) -> Tested:
        seen, annunciator = self.outputs[output], self.pipeline.annunciator
        while self.clock.now().mono_s < began_s + CONFIRM_S:
            level = annunciator.wanted[output]
            if level is Level.OFF:
                return Tested(output, False, reason="an alarm took its place")
            if seen.confirmed_s is not None and seen.confirmed_s > began_s and seen.is_at(level):
                return Tested(output, True, round((seen.confirmed_s - began_s) * 1000, 1))
            await asyncio.sleep(0.005)
        return Tested(output, False, reason=seen.reason or "it was not seen on")


class SelfTest:
    """Tests at the appointed time, and when told to. What it last did is kept in ``file``."""

    def __init__(self, options: SelfTestOptions, zone: tzinfo, tester: Tester, recorder: Recorder, file: Path) -> None:
        self._options, self._zone, self._tester, self._recorder = options, zone, tester, recorder
        self._file, self._asked = file, asyncio.Event()
        self._operator = Operator("self-test", "schedule")
        self.last: dict[str, object] = {}

    async def run(self) -> None:
        """Test when it is time, until cancelled."""
        await asyncio.to_thread(self._load)
        self._publish()
        while True:
            now = self._tester.clock.now()
            if self._asked.is_set():
                await self._perform()
                self._asked.clear()
            elif self._options.at is not None and clock_was_set(now.utc):
                await self._look(self._options.at, now)
            await asyncio.sleep(0.5)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What is tested."""
        return self._options.outputs or tuple(self._tester.outputs)

    @property
    def is_asked(self) -> bool:
        """Whether a test that somebody asked for waits or runs."""
        return self._asked.is_set()

    def start(self, operator: Operator) -> None:
        """Test now."""
        self._operator = operator
        self._asked.set()

    def confirm(self, heard: bool, operator: Operator) -> bool:
        """Take note that ``operator`` heard and saw the last test, or did not; False when there was none."""
        if "id" not in self.last:
            return False
        who = {"name": operator.name, "via": operator.via, "note": operator.note}
        data = {"test_id": self.last["id"], "heard": heard, "operator": who}
        self._record("test.confirmed", data)
        self.last |= {"heard": heard, "ok": bool(self.last["ok"]) and heard}
        self._publish()
        return True

    async def _look(self, at: Weekly, now: Instant) -> None:
        due = at.latest(now.utc, self._zone)
        if "done" not in self.last:
            await self._keep(due, {"ok": True})  # a new installation has missed nothing
        done = datetime.fromisoformat(str(self.last["done"]))
        if due <= done:
            return
        if now.utc - due <= GRACE:
            self._operator = Operator("self-test", "schedule")
            await self._perform()
        else:
            log.warning("self-test missed", due=due.isoformat())
            self._record("test.result", {"passed": False, "reason": "missed", "due": due.isoformat(), "outputs": []})
            await self._keep(due, {"ok": False, "reason": "missed"})

    async def _perform(self) -> None:
        operator, seconds = self._operator, self._options.seconds
        results = [await self._tester.test(name, seconds, operator) for name in self.outputs]
        passed, id_ = all(result.confirmed for result in results), str(uuid.uuid4())
        told = {"test_id": id_, "passed": passed, "outputs": [asdict(result) for result in results]}
        self._record("test.result", {**told, "operator": {"name": operator.name, "via": operator.via, "note": ""}})
        await self._keep(self._tester.clock.now().utc, {"ok": passed, "id": id_})

    async def _keep(self, done: datetime, what: dict[str, object]) -> None:
        self.last = {**what, "done": done.isoformat()}
        self._publish()
        await asyncio.to_thread(self._save)

    def _publish(self) -> None:
        now = self._tester.clock.now()
        if "ok" in self.last:
            self._tester.pipeline.ingest([Sample.good(POINT, bool(self.last["ok"]), now)])

    def _record(self, kind: str, data: Mapping[str, object]) -> None:
        now = self._tester.clock.now()
        self._recorder.record([EventDraft(kind, Lane.STATE, "self-test", data, now, test=True)], ())

    def _load(self) -> None:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            datetime.fromisoformat(found["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        self.last = found

    def _save(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(self.last), encoding="utf-8")
            new.replace(self._file)
        except OSError as error:
            log.warning("the result of the self-test is not kept", reason=error.strerror)
