"""The search for bad addresses, against a device that is made up: whatever it refuses, it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import Table
from drivers.modbus.plan import Block, Limits, Span, split
from drivers.modbus.schedule import RETRY_S, Answer, Schedule

SPANS = st.lists(
    st.tuples(st.integers(min_value=0, max_value=200), st.sampled_from([1, 1, 2, 4, 8])), min_size=1, max_size=40
).map(lambda each: [Span(Table.HOLDING, offset, count, str(n)) for n, (offset, count) in enumerate(each)])
LIMITS = st.builds(Limits, max_registers=st.sampled_from([8, 16, 125]), max_hole=st.none() | st.sampled_from([0, 5]))


@dataclass
class Device:
    """Refuses requests that touch a ``bad`` register or are longer than ``most``; a poll may split so many blocks."""

    bad: set[int]
    most: int
    limits: Limits
    splits: int
    left: int = 0
    refused: int = 0
    read: set[str] = field(default_factory=set)

    def poll(self, schedule: Schedule, now_s: float) -> None:
        self.left, self.refused, self.read = self.splits, 0, set()
        blocks = [*schedule.blocks, *schedule.probes(now_s)]
        schedule.settle([answer for block in blocks for answer in self._answers(block)], now_s)

    def takes(self, offset: int, count: int) -> bool:
        return count <= self.most and not self.bad & set(range(offset, offset + count))

    def _answers(self, block: Block) -> list[Answer]:
        if self.takes(block.offset, block.count):
            self.read |= {span.point for span in block.spans}
            return [Answer(block)]
        self.refused += 1
        if len(block.spans) == 1:
            return [Answer(block, "no")]
        self.left -= 1
        if self.left < 0:
            return [Answer(block, is_open=True)]
        return [answer for half in split(block, self.limits) for answer in self._answers(half)]


@given(
    SPANS,
    LIMITS,
    st.sets(st.integers(min_value=0, max_value=207), max_size=12) | st.just(set(range(208))),
    st.sampled_from([8, 20, 125]),
    st.sampled_from([1, 3, 1000]),
)
def test_every_address_that_is_good_is_read_in_the_end(
    spans: list[Span], limits: Limits, bad: set[int], most: int, splits: int
) -> None:
    schedule, device = Schedule(spans, limits), Device(bad, most, limits, splits)
    for poll in range(120):
        device.poll(schedule, poll * RETRY_S / 100)
    blocks = [*schedule.blocks, *(each.block for each in schedule.barred)]
    assert Counter(span.point for block in blocks for span in block.spans) == Counter(span.point for span in spans)
    assert device.read == {span.point for span in spans if device.takes(span.offset, span.count)}
    assert device.refused <= 1, "nothing but the probe is asked in vain"
