"""What could not be told yet, on the disk: a restart while nobody listens loses no more than the last seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from agent.core.files import sync
from agent.core.model import Instant, PointInfo, Sample
from agent.core.recording import ROWS, Head, NotARecording, Recording, Writer
from agent.sparkplug.history import History

log = structlog.get_logger(__name__)

EVERY_S = 2.0
_STOP_LIMIT_S = 2.0


class Kept:
    """A recording of the history: begun when there is some, deleted when all is told.

    What was told out of it stays in the file until then, so that after a crash it may be told twice. A disk that
    fails costs no more than the memory of it over a restart.
    """

    def __init__(self, path: Path, points: Iterable[PointInfo], limit: int) -> None:
        self._path, self._points, self._limit = path, tuple(points), limit
        self._writer: Writer | None = None
        self._saved_s = 0.0
        self._is_loaded = False
        """Before that nothing is written over what is there."""
        self._is_there = True
        self._failure = ""

    async def load(self, now: Instant) -> tuple[list[Sample], int]:
        """Return what was kept before the restart, the oldest first, and in how many places it is damaged; once."""
        if self._is_loaded:
            return [], 0
        found = await asyncio.to_thread(self._load, now)
        self._is_loaded = True
        return found

    async def look(self, history: History, now: Instant) -> None:
        """Write what is new in the history, every few seconds; call it as often as you like."""
        if now.mono_s - self._saved_s >= EVERY_S:
            await self._save(history, now)

    async def end(self, history: History, now: Instant) -> bool:
        """Write all that is new; tell whether everything that is kept is on the disk."""
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await self._save(history, now)
        except TimeoutError:
            return False
        return not self._failure

    async def _save(self, history: History, now: Instant) -> None:
        if not self._is_loaded:
            return
        self._saved_s = now.mono_s
        fresh = history.take_fresh()
        if fresh or self._failure or (self._is_there and not history.count):
            written = self._writer.samples if self._writer is not None else 0
            is_anew = self._writer is None or written + len(fresh) > 2 * self._limit + ROWS
            samples = history.whole() if is_anew else fresh
            await asyncio.to_thread(self._write, samples if history.count else (), is_anew, now)

    def _write(self, samples: Sequence[Sample], is_anew: bool, now: Instant) -> None:
        try:
            if not samples:
                self._delete()
            elif is_anew or self._writer is None:
                self._begin(samples, now)
            else:
                self._writer.add(samples)
                self._writer.sync()
            self._failure = ""
        except OSError as error:
            if not self._failure:
                log.warning("what the host was not told cannot be kept", reason=error.strerror or str(error))
            self._failure = error.strerror or str(error)
            with suppress(OSError):
                self._close()  # the next time all is written anew

    def _begin(self, samples: Sequence[Sample], now: Instant) -> None:
        self._close()
        draft = self._path.with_suffix(".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = Writer(draft, Head(self._points, now.utc), now.mono_s)
        self._writer.add(samples)
        self._writer.sync()
        draft.replace(self._path)
        self._is_there = True
        sync(self._path.parent)

    def _delete(self) -> None:
        self._close()
        self._path.unlink(missing_ok=True)
        self._is_there = False

    def _close(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    def _load(self, now: Instant) -> tuple[list[Sample], int]:
        try:
            recording = Recording(self._path)
            found = [sample for batch in recording.batches() for sample in batch]
        except FileNotFoundError:
            return [], 0
        except (NotARecording, OSError) as error:
            log.error("what the host was not told before the restart cannot be read", reason=str(error))
            return [], 1
        offset_s = now.mono_s - (now.utc - recording.head.started_at).total_seconds()
        moved = [sample._replace(received_s=sample.received_s + offset_s) for sample in found]
        return sorted(moved, key=lambda each: each.received_s), recording.gaps + recording.is_cut
