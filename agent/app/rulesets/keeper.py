"""Keeps the rules that run in step with the files, with what is pushed, and with who wants a step back.

The way in is always the same: stage (in a thread, so that no sample waits), compare, keep a copy, swap
between two samples, decide. What is refused changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import structlog

from agent.app.rulesets.bundle import Bundle
from agent.app.rulesets.outcome import FILES, Outcome, rejected
from agent.app.rulesets.staging import Compile, Staged, stage
from agent.app.rulesets.store import Current, Entry, RuleStore
from agent.app.rulesets.watch import Watch
from agent.core.model import Operator
from agent.core.ports import Clock, Recorder
from agent.pipeline import Pipeline
from rules.difference import Difference
from rules.engine import Engine
from rules.rule import Rule
from rules.story import Surroundings

log = structlog.get_logger(__name__)

PERIOD_S = 1.0
"""Between two looks at the files."""


class Events(Recorder, Protocol):
    """The journal as the keeper sees it: every event says under which rules it happened."""

    rules_revision: str


@dataclass(frozen=True)
class Active:
    """The set that runs, and the engine that runs it."""

    bundle: Bundle
    rules: tuple[Rule, ...]
    engine: Engine

    @property
    def revision(self) -> str:
        """Its name."""
        return self.bundle.revision


class RuleSets:
    """Used from the event loop only. ``disk`` is the revision of the files; ``rejected`` why they do not run."""

    def __init__(
        self,
        active: Active,
        paths: Sequence[Path],
        compile_rules: Compile,
        store: RuleStore,
        pipeline: Pipeline,
        journal: Events,
        clock: Clock,
        site: Surroundings | None = None,
    ) -> None:
        self.active = active
        self.rejected: Outcome | None = None
        self.disk = active.revision
        self._watch, self._compile, self._store = Watch(paths), compile_rules, store
        self._pipeline, self._journal, self._clock = pipeline, journal, clock
        self._site = site
        self._lock = asyncio.Lock()
        self._current: Current | None = None
        self._refused = ""
        self._held: Staged | None = None

    @property
    def in_step(self) -> bool:
        """Tell whether what the files say runs."""
        return self.rejected is None and self.disk == self.active.revision

    async def run(self) -> None:
        """Look at the files until cancelled."""
        while True:
            async with self._lock:
                await self.look()
            await asyncio.sleep(PERIOD_S)

    async def push(self, bundle: Bundle, operator: Operator, force: bool = False, rehearse: bool = False) -> Outcome:
        """Let a set run that somebody sent; with ``rehearse`` only tell what it would change."""
        async with self._lock:
            staged = await self._stage(bundle)
            if rehearse:
                return self._rehearsed(staged, force)
            return await self._take(staged, "applied", operator, force)

    async def rollback(self, operator: Operator, force: bool = False) -> Outcome:
        """Go one step back. The set that ran before has passed its tests; they are not run again."""
        async with self._lock:
            current = await self._decided()
            if len(current.stack) < 2:
                return rejected("", self.active.revision, "there is no set before this one")
            bundle = await self._kept(current.stack[-2])
            if bundle is None:
                return rejected(current.stack[-2], self.active.revision, "the copy of the set before cannot be read")
            return await self._take(await self._stage(bundle, tests=False), "rolled-back", operator, force)

    async def history(self) -> Current:
        """Return what was decided up to now."""
        async with self._lock:
            return await self._decided()

    async def compare(self, revision: str) -> Difference:
        """Compare what runs with a set that was kept. Raises KeyError if there is none."""
        bundle = await self._kept(revision)
        if bundle is None:
            raise KeyError(revision)
        staged = await self._stage(bundle, tests=False)
        return staged.difference.at(self.active.engine.alarms)

    async def look(self) -> None:
        """Take what the files say if they have changed and are at rest."""
        bundle = await asyncio.to_thread(self._watch.look)
        if bundle is not None:
            await self._read(bundle)
        elif self._held is not None and not self._difference(self._held).urgent:
            await self._from_files(self._held)

    async def _read(self, bundle: Bundle) -> None:
        current = await self._decided()
        self.disk = bundle.revision
        if bundle.fingerprint == self._refused:
            return
        if bundle.revision == self.active.revision:
            await self._in_step_again(bundle, current)
        elif bundle.fingerprint == current.seen:
            self._let_go()  # somebody decided that another set runs; that holds until the files change
        else:
            await self._from_files(await self._stage(bundle))

    async def _from_files(self, staged: Staged) -> None:
        outcome = await self._take(staged, "applied", FILES, False)
        if outcome.action == "rejected":
            self._refused, self.rejected = staged.bundle.fingerprint, outcome
            self._held = staged if outcome.difference.urgent else None

    async def _in_step_again(self, bundle: Bundle, current: Current) -> None:
        if self.rejected is not None:
            log.info("the rule files are again what runs", revision=bundle.revision)
        self._let_go()
        if bundle.revision != current.active:
            entry = self._entry(bundle.revision, "started", FILES)
            if reason := await self._keep(bundle):
                log.warning("the rules that run are not kept", reason=reason)
            else:
                await self._decide(current.applied(entry, bundle.fingerprint))
        elif bundle.fingerprint != current.seen:
            await self._decide(replace(current, seen=bundle.fingerprint))

    def _let_go(self) -> None:
        self.rejected, self._held, self._refused = None, None, ""

    async def _stage(self, bundle: Bundle, tests: bool = True) -> Staged:
        return await asyncio.to_thread(stage, bundle, self._compile, self.active.rules, tests, self._site)

    async def _take(self, staged: Staged, action: str, operator: Operator, force: bool) -> Outcome:
        """Let a set run unless something speaks against it; either way, tell."""
        seen = staged.bundle if operator is FILES else await asyncio.to_thread(self._watch.read)
        not_kept = "" if staged.faults else await self._keep(staged.bundle)
        outcome = self._swap(staged, not_kept, action, operator, force)
        if outcome.action == "rejected":
            return outcome
        self.disk = seen.revision
        current, entry = await self._decided(), self._entry(outcome.revision, action, operator)
        step = current.rolled_back if action == "rolled-back" else current.applied
        return replace(outcome, kept=await self._decide(step(entry, seen.fingerprint)))

    def _swap(self, staged: Staged, not_kept: str, action: str, operator: Operator, force: bool) -> Outcome:
        """Between two samples: nothing else of the event loop runs from the last question to the end."""
        revision, before, now = staged.bundle.revision, self.active, self._clock.now()
        found = self._difference(staged)
        if refusal := _refusal(staged, not_kept, found, force):
            outcome = rejected(revision, before.revision, refusal, staged.faults, found)
            log.error("rules rejected", revision=revision, reason=refusal, faults=list(map(str, staged.faults[:10])))
        else:
            assert staged.engine is not None  # it has no faults
            outcome = Outcome(action, revision, before.revision, found)
            self._journal.rules_revision = revision
            self._pipeline.swap(staged.engine, staged.engine.adopt(before.engine, now), now)
            self.active = Active(staged.bundle, staged.rules, staged.engine)
            self._let_go()
            log.info("rules swapped", revision=revision, previous=before.revision, via=operator.via,
                     changes=list(found.lines())[:10])  # fmt: skip
        self._journal.record([outcome.event(operator, now)], ())
        return outcome

    def _difference(self, staged: Staged) -> Difference:
        return staged.difference.at(self.active.engine.alarms)

    def _rehearsed(self, staged: Staged, force: bool) -> Outcome:
        revision, found = staged.bundle.revision, self._difference(staged)
        if refusal := _refusal(staged, "", found, force):
            return rejected(revision, self.active.revision, refusal, staged.faults, found)
        return Outcome("tried", revision, self.active.revision, found)

    def _entry(self, revision: str, action: str, operator: Operator) -> Entry:
        at = self._clock.now().utc.isoformat()
        return Entry(revision, action, at, operator.name, operator.via, operator.note)

    async def _decided(self) -> Current:
        if self._current is None:
            self._current = await asyncio.to_thread(self._store.current)
        return self._current

    async def _kept(self, revision: str) -> Bundle | None:
        return await asyncio.to_thread(self._store.readable, revision)

    async def _keep(self, bundle: Bundle) -> str:
        """Keep a copy; return why that cannot be done."""
        try:
            await asyncio.to_thread(self._store.keep, bundle)
        except OSError as error:
            return f"it cannot be kept: {error.strerror or error}"
        return ""

    async def _decide(self, current: Current) -> bool:
        self._current = current
        try:
            await asyncio.to_thread(self._store.decide, current)
        except OSError as error:
            log.warning("which rules run cannot be kept", reason=error.strerror or str(error))
            return False
        return True


def _refusal(staged: Staged, not_kept: str, found: Difference, force: bool) -> str:
    """Return why a set must not run, or nothing."""
    if staged.faults:
        return f"{len(staged.faults)} fault(s)"
    if found.urgent and not force:
        return f"it would remove {', '.join(found.urgent)}, active now; wait until that is over, or push it with force"
    return not_kept
