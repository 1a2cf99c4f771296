"""How quickly a recording is written and read: rules will be tried on months of samples."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.core.model import PointInfo, Quality, Sample
from agent.core.recording import Head, Recording, Writer
from agent.memory import calm_collector
from benchmarks.row import Row, row

SAMPLES, POINTS = 500_000, 100


def rows() -> list[Row]:
    """Write and read a file."""
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.rec"
        written_s = _write(path)
        started_s = time.perf_counter()
        count = sum(len(batch) for batch in Recording(path).batches())
        read_s = time.perf_counter() - started_s
        assert count == SAMPLES
        return [
            row("recording: samples written", SAMPLES / written_s, "/s"),
            row("recording: samples read", SAMPLES / read_s, "/s", least=500_000),
            row("recording: size of a sample", path.stat().st_size / SAMPLES, "octets"),
        ]


def _write(path: Path) -> float:
    now = datetime.now(UTC)
    infos = tuple(PointInfo(f"plc.p{n}") for n in range(POINTS))
    samples = [
        Sample(infos[n % POINTS].id, 20 + n % 7 * 0.25, Quality.GOOD, now, n // POINTS * 0.1) for n in range(SAMPLES)
    ]
    started_s = time.perf_counter()
    writer = Writer(path, Head(infos, now), 0.0)
    writer.add(samples)
    writer.close()
    return time.perf_counter() - started_s
