"""Events as lines of JSON in a folder, for a site without a network: flushed to the disk before they count as sent."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from agent.core.files import sync
from agent.links.arrivals import LinkLost
from agent.uplink.link import Ack
from agent.uplink.one_way import OneWay
from agent.uplink.options import FileOptions

MB = 1_000_000
CURRENT = "events.jsonl"
"""What is written to now; closed files have the time in their names, and sort by it."""
_CLOSED = "events-*.jsonl"


class FileLink(OneWay):
    """Implements ``Link``."""

    def __init__(self, options: FileOptions) -> None:
        super().__init__(str(options.folder), 100)
        self._folder = Folder(options)
        self._waiting: list[tuple[int, bytes]] = []
        self._writing: asyncio.Task[None] | None = None
        self._mid = 0

    async def open(self) -> None:
        """Open the current file. Raises LinkLost."""
        try:
            await asyncio.to_thread(self._folder.open)
        except OSError as error:
            raise LinkLost(f"{self.name}: {error.strerror or error}") from error

    def publish(self, _topic: str, body: bytes, _user: list[tuple[str, str]], _retain: bool = False) -> int:
        """Let an event be written; return the number that its answer will carry."""
        self._mid += 1
        self._waiting.append((self._mid, body))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="uplink file")
        return self._mid

    async def close(self, farewell: bool) -> None:  # noqa: ARG002 - there is nobody to tell
        """Finish what is being written, and close the file."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        await asyncio.to_thread(self._folder.close)

    async def _write(self) -> None:
        """Write what waits, all of it with one flush, until nothing waits."""
        while self._waiting:
            taken, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._folder.append, [body for _, body in taken])
            except OSError as error:
                self._answers.lose(error.strerror or str(error))
                return
            for mid, _ in taken:
                self._answers.put(Ack(mid, 0))


class Folder:
    """The files. Synchronous; every method may raise OSError."""

    def __init__(self, options: FileOptions) -> None:
        self._options, self._path = options, options.folder / CURRENT
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Go on with the current file; a line that a crash left half written is cut off: it is written again."""
        self._options.folder.mkdir(parents=True, exist_ok=True)
        self.close()
        made = self._path.open("a+b")
        whole = _whole(made)
        if whole < made.seek(0, os.SEEK_END):
            made.truncate(whole)
        self._file = made
        sync(self._options.folder)

    def close(self) -> None:
        """Close the current file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def append(self, bodies: Sequence[bytes]) -> None:
        """Write events, and wait until they are on the disk; afterwards the file may be closed for another."""
        if self._file is None:
            self.open()
        assert self._file is not None
        self._make_room(sum(map(len, bodies)))
        begun = self._file.seek(0, os.SEEK_END)
        try:
            self._file.write(b"".join(body + b"\n" for body in bodies))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            self._undo(begun)
            raise
        if self._file.tell() >= self._options.file_mb * MB:
            self._rotate()

    def _undo(self, size: int) -> None:
        """What was not flushed whole counts as not written, and is written again; the next opening looks as well."""
        self.close_quietly()
        os.truncate(self._path, size)

    def close_quietly(self) -> None:
        """Close without a last flush that fails like the one before."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError:
            pass

    def _rotate(self) -> None:
        self.close()
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        self._path.rename(self._path.with_name(f"events-{stamp}.jsonl"))
        self.open()

    def _make_room(self, coming: int) -> None:
        closed = sorted(self._options.folder.glob(_CLOSED))
        if self._options.delete_after is not None:
            oldest_s = time.time() - self._options.delete_after
            for path in [each for each in closed if each.stat().st_mtime < oldest_s]:
                path.unlink(missing_ok=True)
                closed.remove(path)
        taken = sum(each.stat().st_size for each in (*closed, self._path) if each.exists())
        if taken + coming > self._options.total_mb * MB:
            raise OSError(f"its {self._options.total_mb} MB are full; fetch the older files and delete them")


def _whole(file: BinaryIO) -> int:
    """Return where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - 65536)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
