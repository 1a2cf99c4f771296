"""What a disk may hold after the power went: everything that was synced, and any part of what was not. Pure.

The model (RELIABILITY §1.4): of the writes to a file since its last sync any subset survives, each one whole or in some
of its sectors, in any order; of what happened to names (create, rename, unlink) an ordered prefix survives, at least
up to the last sync of the file or of its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Open:
    """A file was opened; ``creates`` when it was not there, ``cut`` when its contents were thrown away."""

    name: str
    creates: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes were written at ``offset``."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file was cut, or filled with zeros, to ``size`` bytes."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A file or a folder was flushed, and the disk said so."""

    name: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """A name was taken away."""

    name: str


@dataclass(frozen=True, slots=True)
class Rename:
    """A file got another name, in place of what had it."""

    name: str
    new: str


@dataclass(frozen=True, slots=True)
class Told:
    """The program told somebody something."""

    text: str


Op = Open | Write | Truncate | Sync | Unlink | Rename | Told
_Change = Write | Truncate


@dataclass
class _File:
    safe: bytearray = field(default_factory=bytearray)
    loose: list[_Change] = field(default_factory=list)
    """What was not synced yet, in order."""


class Disk:
    """Plays recorded operations; ``files_after_a_cut`` may be asked at any point, and as often as wanted."""

    def __init__(self) -> None:
        self._now: dict[str, _File] = {}
        self._safe: dict[str, _File] = {}
        self._loose: list[tuple[Op, _File]] = []
        """Changes of names that are not on the disk for certain, each with the file that it is about."""

    def play(self, op: Op) -> None:
        """Take up one operation."""
        match op:
            case Told():
                return
            case Write() | Truncate():
                self._now.setdefault(op.name, _File()).loose.append(op)
            case Sync():
                self._sync(op.name)
            case Open(name, creates, cut):
                self._open(name, creates, cut)
            case Unlink() | Rename():
                if op.name in self._now:
                    self._loose.append((op, self._now[op.name]))
                    _call(self._now, *self._loose[-1])

    def files_after_a_cut(self, rng: Random) -> dict[str, bytes]:
        """Return one of the many things that the disk may hold if the power goes now."""
        names = dict(self._safe)
        for op, file in self._loose[: rng.randint(0, len(self._loose))]:
            _call(names, op, file)
        return {name: bytes(_some(file, rng)) for name, file in names.items()}

    def _open(self, name: str, creates: bool, cut: bool) -> None:
        if name not in self._now:
            if not creates:
                self._now[name] = self._safe[name] = _File()
                return
            self._now[name] = _File()
            self._loose.append((Open(name, creates, cut), self._now[name]))
        elif cut:
            self._now[name].loose.append(Truncate(name, 0))

    def _sync(self, name: str) -> None:
        file = self._now.get(name)
        if file is not None:
            for change in file.loose:
                _apply(file.safe, change)
            file.loose.clear()
        self._safe, self._loose = dict(self._now), []


def _call(names: dict[str, _File], op: Op, file: _File) -> None:
    """Change the names as ``op`` did."""
    if isinstance(op, Open):
        names[op.name] = file
    elif isinstance(op, Rename | Unlink):
        names.pop(op.name, None)
    if isinstance(op, Rename):
        names[op.new] = file


def _apply(held: bytearray, change: _Change) -> None:
    if isinstance(change, Truncate):
        del held[change.size :]
        held.extend(bytes(change.size - len(held)))
        return
    held.extend(bytes(max(0, change.offset - len(held))))
    held[change.offset : change.offset + len(change.data)] = change.data


def _some(file: _File, rng: Random) -> bytearray:
    """Return what is safe, with some of the rest: all, none, or each with a chance of its own."""
    held, chance = bytearray(file.safe), rng.choice((0.0, 0.2, 0.5, 0.8, 1.0))
    torn = rng.random() < 0.5
    for change in file.loose:
        for part in _torn(change) if torn else (change,):
            if rng.random() < chance:
                _apply(held, part)
    return held


def _torn(change: _Change) -> Iterator[_Change]:
    if isinstance(change, Truncate):
        yield change
        return
    first = SECTOR - change.offset % SECTOR
    edges = [0, *range(first, len(change.data), SECTOR), len(change.data)]
    for start, end in pairwise(edges):
        yield Write(change.name, change.offset + start, change.data[start:end])


def cuts(ops: Sequence[Op], count: int, rng: Random) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield ``count`` states, each as the number of operations before the power went and what the disk held then."""
    wanted = sorted(rng.randint(0, len(ops)) for _ in range(count))
    disk, played = Disk(), 0
    for cut in wanted:
        for op in ops[played:cut]:
            disk.play(op)
        played = cut
        yield cut, disk.files_after_a_cut(rng)
