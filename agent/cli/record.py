"""``anshao record`` and ``anshao recorded``: a plant's samples into a file, and what is in one."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from rich.table import Table

from agent.cli import tables
from agent.cli.field.running import run
from agent.cli.field.target import Target, is_url, named, site_of
from agent.core.clock import SystemClock
from agent.core.durations import format_duration
from agent.core.model import Quality, Sample
from agent.core.recording import Head, Recording, Writer


def record(where: str, points: Sequence[str], out: Path, for_s: float | None) -> int:
    """Record until ended; samples come from the devices themselves, beside an agent that may run."""
    wanted = named(where, points)
    if out.exists():
        raise ValueError(f"{out} exists; name another file, so that no recording is lost")
    revision = "" if is_url(where) else site_of(Path(where)).revision
    ids = {id_ for target in wanted for id_ in target.wanted}
    infos = tuple(info for target in wanted for info in target.driver.points if info.id in ids)
    now = SystemClock().now()
    writer = _begin(out, Head(infos, now.utc, where, revision), now.mono_s)
    try:
        with closing(writer), suppress(KeyboardInterrupt, asyncio.CancelledError):  # the usual end
            asyncio.run(_run(wanted, writer, for_s))
    except OSError as error:
        raise OSError(f"{out}: {error.strerror}; it holds the {writer.samples} samples until then") from error
    print(f"{writer.samples} samples in {out} ({out.stat().st_size:,} octets)")
    return 0 if writer.samples else 1


def _begin(out: Path, head: Head, start_s: float) -> Writer:
    try:
        return Writer(out, head, start_s)
    except OSError as error:
        out.unlink(missing_ok=True)  # it was not there before
        raise OSError(f"{out}: {error.strerror}") from error


async def _run(wanted: Sequence[Target], writer: Writer, for_s: float | None) -> None:
    """Record until ``kill``, or a terminal that is closed, ends it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    for kind in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(kind) is not signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(kind, task.cancel)
    await run(wanted, writer.add, for_s)


def recorded(path: Path) -> int:
    """Print what a recording holds: its points, how many samples of each, and how many without a value."""
    recording = Recording(path)
    counts, bad, last = Counter[str](), Counter[str](), dict[str, Sample]()
    for batch in recording.batches():
        for sample in batch:
            counts[sample.point] += 1
            bad[sample.point] += sample.quality is Quality.BAD
            last[sample.point] = sample
    table = Table("point", "samples", "without value", "last", box=None, header_style="dim")
    for info in recording.head.points:
        value = tables.value(last[info.id].value) if info.id in last else ""
        table.add_row(info.id, str(counts[info.id]), str(bad[info.id] or ""), f"{value} {info.unit}".strip())
    span_s = max((sample.received_s for sample in last.values()), default=0.0)
    head = recording.head
    print(
        f"{head.site} {head.revision}, from {head.started_at:%Y-%m-%d %H:%M:%S} UTC, {format_duration(round(span_s))}"
    )
    tables.show(table)
    if recording.gaps:
        print(f"it is damaged in {recording.gaps} place(s); the samples there are lost, those behind are counted above")
    if recording.is_cut:
        print("what follows is missing or damaged: the recorder or its disk was cut off, or the file was changed")
    return 0
