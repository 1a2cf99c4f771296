"""What the worker says to the agent: one JSON line per message, followed by ``blob`` bytes of JPEG.

The first message is Ready; then a Report for each picture judged, while the camera is blind, and at least each second.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Report:
    """``whole`` and ``zones`` are None while the camera is blind, and then ``blind`` says why.

    ``taken_s`` is when the judged picture was grabbed (monotonic, the same clock in both processes);
    ``counters`` are received, replaced, inferred, gated and skipped pictures since the worker started.
    """

    blind: str
    fps: float
    taken_s: float
    whole: dict[str, float] | None = None
    zones: dict[str, dict[str, float]] | None = None
    counters: dict[str, int] = field(default_factory=dict)
    unsettled: str = ""
    """Why the facts do not count yet though the camera sees (models.settling); empty when they do."""
    faults: tuple[str, ...] = ()
    """What is wrong with the picture (models.trust.faults), also what does not blind."""
    is_pictured: bool = True
    """False while there is no picture that ``faults`` could be about."""
    advice: str = ""
    """What would be better about the stream, in words."""
    took_ms: float = 0.0
    """What looking at the picture and judging it took; 0 where the last look was taken for it (models.gate)."""
    model_fault: bool = False
    """Blind, for the model gave no sound answer."""
    memory: dict[str, Any] | None = None
    """Not what the camera saw: all that the worker remembers of its people, as a line on stdin asked."""
    took_over: bool = False
    """Not what the camera saw: the worker goes on with the memory that it was told of."""
    proof: str = ""
    """Not what the camera saw: the golden picture of that name was judged, as a line on stdin asked."""
    more: dict[str, float] = field(default_factory=dict)
    """Facts of behaviours, by name."""
    asked: float = 0.0
    """Pictures a second that the camera should judge."""
    granted: float = 0.0
    """Pictures a second that it may judge in the budget of all cameras; 0: it is paused."""
    sparse: bool = False
    """Pictures come too seldom to follow people: every fact is as those in ``unsure``."""
    cpu_s: float = 0.0
    """CPU seconds that the worker took since it began, and ``looked_s`` those of them on its pictures."""
    looked_s: float = 0.0
    unsure: tuple[str, ...] = ()
    """The facts, by place, that may raise an alarm and clear none: the picture may not show all that is so."""

    @property
    def counts(self) -> bool:
        """Tell whether the facts are what the camera saw."""
        return self.whole is not None and not self.blind and not self.unsettled


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of evidence that is on the disk, or with ``reason`` why there is none.

    ``order`` is the id of what the agent asked for, and ``last`` tells that nothing more of it comes.
    ``taken_s`` is monotonic, of a clip its first picture's; ``seconds`` is a clip's length.
    """

    order: str
    kind: str
    name: str = ""
    media_type: str = ""
    octets: int = 0
    sha256: str = ""
    taken_s: float = 0.0
    seconds: float = 0.0
    blurred: bool = False
    model: str = ""
    reason: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded. ``precision`` and ``provider`` tell how it runs, empty where that is not known."""

    name: str
    version: str
    sha256: str
    precision: str = ""
    provider: str = ""

    @property
    def ref(self) -> str:
        """Which model this is, in one word: name, version and its manifest's hash, which covers its files'."""
        return f"model:{self.name}/{self.version}@sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its picture, if there is one. ``report`` is None for Ready, Kept and for a mere sign of life."""

    report: Report | None
    jpeg: bytes | None = None
    kept: Kept | None = None
    ready: Ready | None = None


def send(
    out: BinaryIO, report: Report | None, jpeg: bytes = b"", kept: Kept | None = None, ready: Ready | None = None
) -> None:
    """Write one message; blocks while the reader is behind."""
    header: dict[str, Any] = {"report": asdict(report) if report else None, "blob": len(jpeg)}
    if kept is not None:
        header["kept"] = asdict(kept)
    if ready is not None:
        header["ready"] = asdict(ready)
    out.write(json.dumps(header).encode() + b"\n" + jpeg)
    out.flush()


async def receive(stream: asyncio.StreamReader) -> Message | None:
    """Read one message; None at the end of the stream, also in the middle of one."""
    try:
        header = json.loads(await stream.readuntil(b"\n"))
        jpeg = await stream.readexactly(header["blob"])
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        return None
    report = Report(**header["report"]) if header["report"] else None
    kept = Kept(**header["kept"]) if "kept" in header else None
    return Message(report, jpeg or None, kept, Ready(**header["ready"]) if "ready" in header else None)
