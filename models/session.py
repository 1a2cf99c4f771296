"""One life of a camera's worker process: its reports become samples, its death or silence becomes NotConnected."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress

from agent.core.errors import NotConnected, Refused
from agent.core.model import Instant, Quality, Sample, Value
from agent.core.ports import Clock, EvidenceFile, Sighting
from models.redaction import redact
from models.wire import Kept, Message, Report, receive

START_LIMIT_S = 30.0
"""A slow PC may take long to load the model."""
STALE_S = 2.0
PROOF_LIMIT_S = 30.0
HIDDEN = "somebody may be where the picture does not show it"
_LAST_WORDS = 4


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
    ) -> None:
        self._process, self._facts, self._camera = process, facts, camera
        self._timeout_s, self._clock, self._keep = timeout_s, clock, keep
        self._turn = asyncio.Lock()
        self._latest: dict[str, Sample] = {}
        self._proof: asyncio.Future[Sighting] | None = None
        self._kept: dict[str, asyncio.Queue[Kept | None]] = {}
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._listener = asyncio.create_task(self._listen(), name=f"{camera}.stderr")

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    async def ready(self) -> None:
        """Wait until the model is loaded. Raises NotConnected."""
        await self._receive(max(START_LIMIT_S, self._timeout_s))

    async def read(self) -> Sequence[Sample]:
        """Return the facts of the next report; empty for a mere sign of life. Raises NotConnected."""
        async with self._turn:
            message = await self._receive(self._timeout_s)
            if message.kept is not None and message.kept.order in self._kept:
                self._kept[message.kept.order].put_nowait(message.kept)
            if message.report is None:
                return []
            if message.report.proof:
                self._proven(message.report)
                return []
            batch = self._samples(message.report)
            if message.jpeg or message.report.blind:
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
        assert self._process.stdin is not None
        if self._process.returncode is not None:
            raise NotConnected("the vision worker does not run")
        if self._proof is None or self._proof.done():
            self._proof = asyncio.get_running_loop().create_future()
            self._process.stdin.write(b'{"proof": true}\n')
        try:
            async with asyncio.timeout(PROOF_LIMIT_S):
                return await asyncio.shield(self._proof)
        except TimeoutError as error:
            self._proof = None
            raise NotConnected(f"no golden picture was judged within {PROOF_LIMIT_S:g} s") from error

    async def keep(self, order: str, folder: str, at_s: float, limit_s: float) -> AsyncIterator[EvidenceFile]:
        """Yield the files of one order. Raises NotConnected when the worker dies, or keeps nothing for ``limit_s``."""
        assert self._process.stdin is not None
        if self._process.returncode is not None:
            raise NotConnected("the vision worker does not run")
        queue = self._kept.setdefault(order, asyncio.Queue())
        line = json.dumps({"evidence": {"id": order, "folder": folder, "at_s": at_s}})
        self._process.stdin.write(line.encode() + b"\n")
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

    async def write(self, point: str, value: Value) -> None:
        """Refuse: a camera has nothing to write."""
        del value
        raise Refused(f"{point} is seen by a camera and cannot be written")

    async def close(self) -> None:
        """Kill the worker."""
        self._keep(None)
        for queue in self._kept.values():
            queue.put_nowait(None)
        with suppress(ProcessLookupError):
            self._process.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.8):
                await self._process.wait()
        self._listener.cancel()

    def _proven(self, report: Report) -> None:
        if self._proof is not None and not self._proof.done():
            now, values = self._clock.now(), _flatten(report)
            facts = {
                name: Sample.good(f"{self._camera}.{name}", values[name], now) for name in self._facts if name in values
            }
            self._proof.set_result(Sighting(report.proof, tuple(facts.values())))

    def _sees(self) -> bool:
        sample = self._latest.get(f"{self._camera}.camera_ok")
        return sample is not None and sample.value is True

    async def _receive(self, limit_s: float) -> Message:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                message = await receive(self._process.stdout)
        except TimeoutError as error:
            raise NotConnected(f"the vision worker was silent for {limit_s:g} s (killed)") from error
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

    async def _listen(self) -> None:
        """Keep the last lines that the worker wrote for people."""
        assert self._process.stderr is not None
        with suppress(ValueError):
            async for line in self._process.stderr:
                text = redact(line.decode(errors="replace").strip())
                if text:
                    self._words.append(text)

    def _samples(self, report: Report) -> list[Sample]:
        now = self._clock.now()
        late_s = now.mono_s - report.taken_s
        blind = report.blind or (f"pictures come {late_s:.1f} s late" if late_s > STALE_S else "")
        batch = [
            Sample.good(f"{self._camera}.camera_ok", not blind, now),
            Sample.good(f"{self._camera}.fps", report.fps, now),
        ]
        values = _flatten(report)
        return [*batch, *(self._fact(name, values, blind, now, report.unsure) for name in self._facts)]

    def _fact(
        self, name: str, values: Mapping[str, float], blind: str, now: Instant, unsure: Collection[str]
    ) -> Sample:
        point = f"{self._camera}.{name}"
        if blind or name not in values:
            return Sample.bad(point, f"camera blind: {blind or 'not judged'}", now)
        fact = Sample.good(point, values[name], now)
        return fact._replace(quality=Quality.UNCERTAIN, reason=HIDDEN) if name in unsure else fact


def _file(kept: Kept) -> EvidenceFile:
    found = (kept.octets, kept.sha256, kept.taken_s, kept.seconds, kept.blurred, kept.model, kept.reason)
    return EvidenceFile(kept.kind, kept.name, kept.media_type, *found)


def _flatten(report: Report) -> dict[str, float]:
    values = {**(report.whole or {}), **report.more}
    for zone, count in (report.zones or {}).items():
        values.update({f"{zone}.{fact}": value for fact, value in count.items()})
    return values
