"""Recordings: the samples of a plant in a file, for rules and tests to replay.

A file is a line that names the format, and blocks behind it. A block is its length and CRC-32 (four
octets each, little-endian) and compressed content; the first one is the head in JSON, each other one
holds some thousand samples in columns. What is spoiled loses its own block; a file whose end
is cut is read up to there.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import compress, repeat
from pathlib import Path
from typing import IO, Any

from agent.core.model import PointInfo, Quality, Sample, Value

MAGIC = b"anshao recording 1\n"
ROWS = 4096
"""Samples in a block at most."""
LONGEST_WAIT_S = 10.0
"""A block is written after that long, however few its samples: no more is lost when the power fails."""
_FRAME = struct.Struct("<II")
_LEVEL = 3
_BEGIN = zlib.compress(b"", _LEVEL)[:2]
"""What the content of each block begins with."""
_LARGEST = 1 << 26
_CHUNK = 1 << 20
_QUALITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD)
_FLOAT, _INT, _BOOL, _TEXT, _NONE = range(5)
_COLUMNS = (("times", "d"), ("points", "I"), ("kinds", "B"), ("qualities", "B"), ("numbers", "d"), ("sources", "d"),
            ("reasons", "I"))  # fmt: skip


class NotARecording(ValueError):  # noqa: N818
    """A file that is none, or of a format that this version does not know."""


@dataclass(frozen=True)
class Head:
    """What a recording is of. ``started_at`` is UTC; samples tell their time as seconds since then."""

    points: tuple[PointInfo, ...]
    started_at: datetime
    site: str = ""
    revision: str = ""


class Writer:
    """Appends samples to a new file. Raises OSError as files do."""

    def __init__(self, path: Path, head: Head, start_s: float) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._start_s = self._flushed_s = start_s
        self._numbers = {info.id: number for number, info in enumerate(head.points)}
        self._rows: list[Sample] = []
        self.samples = 0
        self._file.write(MAGIC)
        self._write(json.dumps({**asdict(head), "started_at": head.started_at.isoformat()}).encode())
        self._file.flush()

    def add(self, samples: Sequence[Sample]) -> None:
        """Keep samples; those of points that the head does not name are left out."""
        self._rows += [sample for sample in samples if sample.point in self._numbers]
        while len(self._rows) >= ROWS or (self._rows and self._rows[-1].received_s - self._flushed_s > LONGEST_WAIT_S):
            rows, self._rows = self._rows[:ROWS], self._rows[ROWS:]  # if it fails, they are not written twice
            self._flush(rows)

    def sync(self) -> None:
        """Write what is left, and wait until all is on the disk."""
        rows, self._rows = self._rows, []
        if rows:
            self._flush(rows)
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write what is left."""
        rows, self._rows = self._rows, []
        with self._file:
            if rows:
                self._flush(rows)

    def _flush(self, rows: Sequence[Sample]) -> None:
        self._write(_pack(rows, self._numbers, self._start_s))
        self._file.flush()
        self._flushed_s = rows[-1].received_s
        self.samples += len(rows)

    def _write(self, content: bytes) -> None:
        data = zlib.compress(content, _LEVEL)
        self._file.write(_FRAME.pack(len(data), zlib.crc32(data)) + data)


class Recording:
    """A file that was recorded. Raises NotARecording, OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_cut = False
        """Whether its end is missing; known once ``batches`` has come to it."""
        self.samples, self.end_s = 0, 0.0
        """How many samples ``batches`` has passed, and when the last of them came."""
        self.gaps = 0
        """Damaged places that ``batches`` has passed so far; the samples there are lost."""
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise NotARecording(f"{path} is no recording; 'anshao record' makes one")
            self.head = _head(next(self._blocks(file), b""), path)

    def batches(self, only: Collection[str] | None = None) -> Iterator[list[Sample]]:
        """Yield samples by blocks, in the order in which they came; ``received_s`` is seconds since the start.

        With ``only``, those of other points are passed over, which is much quicker than to sort them out later.
        """
        self.samples, self.end_s, self.is_cut, self.gaps = 0, 0.0, False, 0
        wanted = None if only is None else [info.id in only for info in self.head.points]
        ids = [info.id for info in self.head.points]
        with self.path.open("rb") as file:
            file.seek(len(MAGIC))
            blocks = self._blocks(file)
            next(blocks, None)
            for block in blocks:
                texts, columns = _columns(block)
                self.samples += len(columns["times"])
                self.end_s = columns["times"][-1]
                if wanted is not None:
                    columns = _chosen(columns, wanted)
                yield _unpack(texts, columns, ids, self.head.started_at)

    def _blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        start = file.tell()
        while frame := file.read(_FRAME.size):
            if (block := _block(file, frame)) is not None:
                yield zlib.decompress(block)
            elif _find_next(file, start):
                self.gaps += 1
            else:
                self.is_cut = True
                return
            start = file.tell()


def _block(file: IO[bytes], frame: bytes) -> bytes | None:
    """Read the content that ``frame`` announces; None if it is not sound."""
    length, check = _FRAME.unpack(frame) if len(frame) == _FRAME.size else (0, 0)
    data = file.read(length) if 0 < length <= _LARGEST else b""
    return data if data and len(data) == length and zlib.crc32(data) == check else None


def _find_next(file: IO[bytes], start: int) -> bool:
    """Go to the first sound block behind the one at ``start``, which is damaged, perhaps its length too."""
    at = start + 1 + _FRAME.size
    while len(chunk := _read(file, at, _CHUNK)) >= len(_BEGIN):
        mark = chunk.find(_BEGIN)
        while mark >= 0:
            begin = at + mark - _FRAME.size
            if _block(file, _read(file, begin, _FRAME.size)) is not None:
                file.seek(begin)
                return True
            mark = chunk.find(_BEGIN, mark + 1)
        at += len(chunk) - len(_BEGIN) + 1
    return False


def _read(file: IO[bytes], at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _head(content: bytes, path: Path) -> Head:
    try:
        data: dict[str, Any] = json.loads(content)
        points = tuple(PointInfo(**info) for info in data["points"])
        return Head(points, datetime.fromisoformat(data["started_at"]), data["site"], data["revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotARecording(f"the head of {path} cannot be read; the file is damaged") from error


def _pack(rows: Sequence[Sample], numbers: dict[str, int], start_s: float) -> bytes:
    texts: dict[str, int] = {"": 0}
    columns = {name: array(code) for name, code in _COLUMNS}
    for row in rows:
        kind, number = _kind(row.value, texts)
        cells = (row.received_s - start_s, numbers[row.point], kind, _QUALITIES.index(row.quality), number,
                 row.source_time.timestamp() if row.source_time else math.nan,
                 texts.setdefault(row.reason or "", len(texts)))  # fmt: skip
        for (name, _), cell in zip(_COLUMNS, cells, strict=True):
            columns[name].append(cell)  # type: ignore[arg-type]
    words = json.dumps(list(texts)).encode()
    head = struct.pack("<II", len(rows), len(words))
    return head + words + b"".join(columns[name].tobytes() for name, _ in _COLUMNS)


def _kind(value: Value, texts: dict[str, int]) -> tuple[int, float]:
    if isinstance(value, bool):
        return _BOOL, float(value)
    if isinstance(value, int) and abs(value) < 2**53:
        return _INT, float(value)
    if isinstance(value, int | float):
        return _FLOAT, float(value)
    if value is None:
        return _NONE, 0.0
    return _TEXT, float(texts.setdefault(value, len(texts)))


def _columns(block: bytes) -> tuple[list[str], dict[str, array[Any]]]:
    """Return the texts of a block, and its columns by name."""
    count, length = struct.unpack_from("<II", block)
    texts: list[str] = json.loads(block[8 : 8 + length])
    columns: dict[str, array[Any]] = {}
    at = 8 + length
    for name, code in _COLUMNS:
        column = array(code)
        end = at + count * column.itemsize
        column.frombytes(block[at:end])
        columns[name], at = column, end
    return texts, columns


def _chosen(columns: dict[str, array[Any]], wanted: Sequence[bool]) -> dict[str, array[Any]]:
    """Return the rows of the points that are ``wanted``."""
    chosen = [wanted[number] for number in columns["points"]]
    return {name: array(column.typecode, compress(column, chosen)) for name, column in columns.items()}


def _unpack(
    texts: Sequence[str], columns: dict[str, array[Any]], ids: Sequence[str], started_at: datetime
) -> list[Sample]:
    moments = _moments(columns["times"], started_at)
    rows = zip(
        map(ids.__getitem__, columns["points"]),
        _values(columns["kinds"], columns["numbers"], texts),
        map(_QUALITIES.__getitem__, columns["qualities"]),
        moments,
        columns["times"],
        _sources(columns["sources"]),
        map([None, *texts[1:]].__getitem__, columns["reasons"]),
        repeat(None),
    )
    return list(map(partial(tuple.__new__, Sample), rows))


def _values(kinds: array[int], numbers: array[float], texts: Sequence[str]) -> Iterator[Value]:
    if not any(kinds):  # all floats, as most blocks are
        return iter(numbers)
    convert: tuple[Any, ...] = (float, int, bool, lambda number: texts[int(number)], lambda _: None)
    return (convert[kind](number) for kind, number in zip(kinds, numbers, strict=True))


def _moments(times: array[float], started_at: datetime) -> list[datetime]:
    """Return the times as dates; a poll's samples share theirs."""
    known = {seconds: started_at + timedelta(seconds=seconds) for seconds in set(times)}
    return [known[seconds] for seconds in times]


def _sources(sources: array[float]) -> Iterator[datetime | None]:
    if math.isnan(min(sources, default=math.nan)) and all(map(math.isnan, sources)):
        return repeat(None, len(sources))
    known = {each: datetime.fromtimestamp(each, UTC) for each in set(sources) if each == each}
    return (known.get(each) for each in sources)
