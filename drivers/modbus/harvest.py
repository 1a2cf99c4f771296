"""What one poll brings in: answers are understood while the device works at the next one."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.model import Instant, Sample
from drivers.modbus.plan import Block
from drivers.modbus.reader import Reader


class Harvest:
    """Collects the samples of one call. ``reader`` gives what understands a block."""

    def __init__(self, reader: Callable[[Block], Reader], known: list[Sample] | None = None) -> None:
        self._reader = reader
        self._samples = known or []
        self._raw: list[tuple[Block, bytes, Instant]] = []

    def add(self, block: Block, answer: bytes, now: Instant) -> None:
        """Keep an answer that came at ``now``."""
        self._raw.append((block, answer[2:], now))

    def bad(self, block: Block, reason: str, now: Instant) -> None:
        """Every point of ``block`` is without a value."""
        self._samples += [Sample.bad(span.point, reason, now) for span in block.spans]

    def decode(self) -> None:
        """Turn the answers that are kept into samples."""
        raw, self._raw = self._raw, []
        for block, data, now in raw:
            self._samples += self._reader(block).read(data, now)

    def samples(self) -> list[Sample]:
        """Return all samples."""
        self.decode()
        return self._samples
