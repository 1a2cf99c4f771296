"""One life of a camera's worker process: its reports become samples, its death or silence becomes NotConnected."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import structlog

from agent.core.errors import NotConnected, Refused
from agent.core.model import Instant, Quality, Sample, Value
from agent.core.ports import Clock, EvidenceFile, Sighting
from models.options import COUNTERS
from models.redaction import redact
from models.wire import Kept, Message, Ready, Report, receive

log = structlog.get_logger(__name__)

START_LIMIT_S = 30.0
"""A slow PC may take long to load the model."""
STALE_S = 2.0
PROOF_LIMIT_S = 30.0
HAND_LIMIT_S = 5.0
"""A worker looks at its orders after each picture, and at least each half second."""
HIDDEN = "somebody may be hidden, cut off, or too unclear to be judged"
SPARSE = "too few pictures a second are judged to follow people"
_LAST_WORDS = 4
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CameraSession:
    """A live worker. ``keep`` is given each picture, and None when there is none worth showing."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        facts: Sequence[str],
        camera: str,
        timeout_s: float,
        clock: Clock,
        keep: Callable[[bytes | None], None],
        faults: Collection[str] = (),
        memory_mb: float = inf,
    ) -> None:
        self._process, self._facts, self._camera = process, facts, camera
        self._timeout_s, self._clock, self._keep = timeout_s, clock, keep
        self._faults, self._memory_mb = faults, memory_mb
        self._advice = ""
        self._counts = False
        self.model: Ready | None = None
        """What the worker said of its model; None until it is loaded."""
        self._turn = asyncio.Lock()
        self._latest: dict[str, Sample] = {}
        self._proof: asyncio.Future[Sighting] | None = None
        self._kept: dict[str, asyncio.Queue[Kept | None]] = {}
        self._memory: asyncio.Future[dict[str, Any]] | None = None
        self.newest: Report | None = None
        """What the worker told last of what the camera saw."""
        self.reports: Callable[[Report], None] = _ignore
        """Told of each report on what the camera saw."""
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listener = asyncio.create_task(_listen(process, self._words), name=f"{camera}.stderr")

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises NotConnected."""
        self.model = (await self._receive(max(START_LIMIT_S, self._timeout_s))).ready

    async def read(self) -> Sequence[Sample]:
        """Return the facts of the next report; empty for a mere sign of life. Raises NotConnected."""
        async with self._turn:
            message = await self._receive(self._timeout_s)
            if message.kept is not None and message.kept.order in self._kept:
                self._kept[message.kept.order].put_nowait(message.kept)
            if message.report is None:
                return []
            if self._is_answer(message.report):
                return []
            self.newest = message.report
            self.reports(message.report)
            self._refuse_a_glutton()
            self._advise(message.report.advice)
            batch = self._samples(message.report)
            if message.jpeg or message.report.whole is None:
                self._keep(message.jpeg)
            self._latest = {sample.point: sample for sample in batch}
            return batch

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return these points as the next report has them, waiting up to the timeout for a camera that sees."""
        wanted = set(points)
        until_s = self._clock.now().mono_s + self._timeout_s
        while not self._latest or (not self._sees() and self._clock.now().mono_s < until_s):
            await self.read()
        return [sample for point, sample in self._latest.items() if point in wanted]

    async def prove(self) -> Sighting:
        """Have the worker judge a golden picture beside the camera's own. Raises NotConnected."""
        self._require_worker()
        if self._proof is None or self._proof.done():
            self._proof = asyncio.get_running_loop().create_future()
            self._ask({"proof": True})
        try:
            async with asyncio.timeout(PROOF_LIMIT_S):
                return await asyncio.shield(self._proof)
        except TimeoutError as error:
            self._proof = None
            raise NotConnected(f"no golden picture was judged within {PROOF_LIMIT_S:g} s") from error

    async def keep(self, order: str, folder: str, at_s: float, limit_s: float) -> AsyncIterator[EvidenceFile]:
        """Yield the files of one order. Raises NotConnected when the worker dies, or keeps nothing for ``limit_s``."""
        self._require_worker()
        queue = self._kept.setdefault(order, asyncio.Queue())
        self._ask({"evidence": {"id": order, "folder": folder, "at_s": at_s}})
        try:
            last = False
            while not last:
                async with asyncio.timeout(limit_s):
                    kept = await queue.get()
                if kept is None:
                    raise NotConnected("the vision worker ended before the evidence was kept")
                last = kept.last
                yield _file(kept)
        except TimeoutError as error:
            raise NotConnected(f"the vision worker kept no evidence within {limit_s:g} s") from error
        finally:
            del self._kept[order]

    def accept(self) -> None:
        """Have the worker take what the camera sees now for its right view. Raises NotConnected."""
        self._require_worker()
        self._ask({"accept": True})

    def grant(self, pace: float) -> None:
        """Have the worker judge so many pictures a second from now on, 0 for none; no matter if it is gone."""
        with suppress(NotConnected):
            self._require_worker()
            self._ask({"pace": pace})

    async def follow_up(self, old: CameraSession) -> None:
        """See, take over what the worker of ``old`` remembers, and see again; ``old`` must be read meanwhile.

        Raises NotConnected when there is nothing to see, or when one of the two does not answer.
        """
        await self._until(lambda message: message.report is not None and message.report.counts)
        memory = asyncio.create_task(old.memory())
        while not memory.done():
            await self._receive(self._timeout_s)
        self._ask({"take_over": memory.result()})
        await self._until(lambda message: message.report is not None and message.report.took_over)
        await self._until(lambda message: message.report is not None and message.report.counts)

    async def memory(self) -> dict[str, Any]:
        """Return all that the worker remembers of its people; somebody must read meanwhile. Raises NotConnected."""
        self._memory = asyncio.get_running_loop().create_future()
        self._ask({"hand_over": True})
        try:
            async with asyncio.timeout(HAND_LIMIT_S):
                return await self._memory
        except TimeoutError as error:
            raise NotConnected(f"the worker at work told nothing within {HAND_LIMIT_S:g} s") from error

    @property
    def is_keeping(self) -> bool:
        """Tell whether the worker owes evidence, which would go with it."""
        return bool(self._kept)

    def exchange(self, other: CameraSession) -> None:
        """Go on with the worker of ``other``, which gets ours; whoever reads here notices nothing."""
        self._process, other._process = other._process, self._process
        self._words, other._words = other._words, self._words
        self._listener, other._listener = other._listener, self._listener
        self.model, other.model = other.model, self.model
        if self._proof is not None and not self._proof.done():
            self._proof.set_exception(NotConnected("the model was swapped meanwhile; prove it again"))

    async def write(self, point: str, value: Value) -> None:
        """Refuse: a camera has nothing to write."""
        del value
        raise Refused(f"{point} is seen by a camera and cannot be written")

    async def close(self) -> None:
        """Kill the worker."""
        self._keep(None)
        await self.end()

    async def end(self) -> None:
        """Kill the worker, and leave the picture as it is."""
        for queue in self._kept.values():
            queue.put_nowait(None)
        with suppress(ProcessLookupError):
            self._process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.8):
                await self._process.wait()
        self._listener.cancel()

    async def _until(self, enough: Callable[[Message], bool]) -> None:
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while not enough(await self._receive(self._timeout_s)):
                    pass
        except TimeoutError as error:
            raise NotConnected(f"the new worker judged no picture within {START_LIMIT_S:g} s") from error

    def _require_worker(self) -> None:
        """Raise NotConnected when nobody is there to take an order."""
        assert self._process.stdin is not None
        if self._process.returncode is not None or self._process.stdin.is_closing():
            raise NotConnected("the vision worker does not run")

    def _ask(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def _is_answer(self, report: Report) -> bool:
        """Take what a line on stdin asked for; False for what the camera saw."""
        if report.proof:
            self._proven(report)
        if report.memory is not None and self._memory is not None and not self._memory.done():
            self._memory.set_result(report.memory)
        return bool(report.proof) or report.memory is not None or report.took_over

    def _proven(self, report: Report) -> None:
        if self._proof is not None and not self._proof.done():
            now, values = self._clock.now(), _flatten(report)
            facts = {
                name: Sample.good(f"{self._camera}.{name}", values[name], now) for name in self._facts if name in values
            }
            self._proof.set_result(Sighting(report.proof, tuple(facts.values())))

    def _sees(self) -> bool:
        sample = self._latest.get(f"{self._camera}.camera_ok")
        return sample is not None and sample.value is True and self._counts

    def _advise(self, advice: str) -> None:
        if advice and advice != self._advice:
            log.warning("camera's stream is costly", camera=self._camera, advice=advice)
        self._advice = advice

    def _refuse_a_glutton(self) -> None:
        """Let a worker end that takes too much memory, before it costs others theirs. Raises NotConnected."""
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, IndexError):
            return  # it has just ended, which is told elsewhere
        used_mb = pages * _PAGE / 1e6
        if used_mb > self._memory_mb:
            raise NotConnected(f"the vision worker took {used_mb:.0f} MB of memory, more than memory_mb (killed)")

    async def _receive(self, limit_s: float) -> Message:
        process = self._process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                message = await receive(process.stdout)
        except TimeoutError as error:
            if process is not self._process:
                return await self._receive(limit_s)
            raise NotConnected(f"the vision worker was silent for {limit_s:g} s (killed)") from error
        if process is not self._process:
            return await self._receive(limit_s)  # exchanged meanwhile: what the old worker saw is old
        if message is None:
            raise NotConnected(await self._epitaph())
        return message

    async def _epitaph(self) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._process.wait()
                await asyncio.shield(self._listener)
        code = self._process.returncode
        how = "ended" if code is None else f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        words = " | ".join(self._words)
        return f"the vision worker {how}{': ' + words if words else ''}"

    def _samples(self, report: Report) -> list[Sample]:
        now = self._clock.now()
        late_s = now.mono_s - report.taken_s
        blind = report.blind or (f"pictures come {late_s:.1f} s late" if late_s > STALE_S else "")
        values = _flatten(report)
        unsure = dict.fromkeys(self._facts, SPARSE) if report.sparse else dict.fromkeys(report.unsure, HIDDEN)
        self._counts = report.counts
        return [
            *self._health(report, blind, now),
            *(self._fact(name, values, blind or report.unsettled, now, unsure) for name in self._facts),
        ]

    def _health(self, report: Report, blind: str, now: Instant) -> Iterator[Sample]:
        """Yield what the camera tells of itself; without a picture its faults are unknown."""
        why = blind or report.advice or None
        yield Sample.good(f"{self._camera}.camera_ok", not blind, now)._replace(reason=why)
        yield Sample.good(f"{self._camera}.fps", report.fps, now)
        yield Sample.good(f"{self._camera}.fps_asked", report.asked, now)
        yield Sample.good(f"{self._camera}.fps_granted", report.granted, now)
        yield from (Sample.good(f"{self._camera}.{name}", report.counters.get(name, 0), now) for name in COUNTERS)
        for fault in ("sparse", *self._faults):
            point = f"{self._camera}.{fault}"
            is_there = report.sparse if fault == "sparse" else fault in report.faults
            yield Sample.good(point, is_there, now) if report.is_pictured else Sample.bad(point, blind, now)

    def _fact(
        self, name: str, values: Mapping[str, float], blind: str, now: Instant, unsure: Mapping[str, str]
    ) -> Sample:
        point = f"{self._camera}.{name}"
        if blind or name not in values:
            return Sample.bad(point, f"camera blind: {blind or 'not judged'}", now)
        model = self.model.ref if self.model else None
        quality = Quality.UNCERTAIN if name in unsure else Quality.GOOD
        return Sample(point, values[name], quality, now.utc, now.mono_s, reason=unsure.get(name), evidence=model)


async def _listen(process: asyncio.subprocess.Process, words: deque[str]) -> None:
    """Keep the last lines that the worker wrote for people; both stay together when sessions exchange workers."""
    assert process.stderr is not None
    with suppress(ValueError):
        async for line in process.stderr:
            text = redact(line.decode(errors="replace").strip())
            if text:
                words.append(text)


def _file(kept: Kept) -> EvidenceFile:
    found = (kept.octets, kept.sha256, kept.taken_s, kept.seconds, kept.blurred, kept.model, kept.reason)
    return EvidenceFile(kept.kind, kept.name, kept.media_type, *found)


def _ignore(report: Report) -> None:
    del report


def _flatten(report: Report) -> dict[str, float]:
    values = {**(report.whole or {}), **report.more}
    for zone, count in (report.zones or {}).items():
        values.update({f"{zone}.{fact}": value for fact, value in count.items()})
    return values
