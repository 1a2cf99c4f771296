"""What waits in memory: each event is written once and in its order, or is counted as lost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Lane
from agent.journal import backlog as backlog_module
from agent.journal.backlog import Backlog, Batch

_NOW = SystemClock().now()
_ROOM = 12
_LANES = st.lists(st.sampled_from(list(Lane)), max_size=9)


def _event(lane: Lane, number: int) -> EventDraft:
    return EventDraft("test", lane, str(number), {"number": number}, _NOW)


def _loss(scope: str, count: int, reason: str, details: Mapping[str, object]) -> EventDraft:
    return EventDraft("loss", Lane.ALARM, scope, {"count": count}, _NOW)


class _Writer:
    """Writes as the journal does: what comes behind a batch is composed before that batch is written."""

    def __init__(self) -> None:
        self.backlog = Backlog()
        self.written: list[EventDraft] = []
        self.recorded: list[EventDraft] = []

    def record(self, lanes: list[Lane]) -> None:
        events = [_event(lane, len(self.recorded) + at) for at, lane in enumerate(lanes)]
        self.recorded += events
        self.backlog.add(events, (), "r1")

    def write(self, lanes_meanwhile: list[list[Lane]], share: float) -> None:
        batch: Batch | None = None
        for lanes in lanes_meanwhile:
            batch = batch or self.backlog.next(_loss)
            count = max(1, int(share * len(batch.drafts))) if batch.drafts else 0
            self.record(lanes)
            behind = self.backlog.behind(batch, count)
            self.record(lanes)
            self.written += batch.drafts[:count]
            self.backlog.written(batch, count)
            batch = behind if behind.drafts else None


@given(st.lists(st.tuples(_LANES, st.lists(_LANES, min_size=1, max_size=5), st.floats(0.3, 1.0)), max_size=8))
def test_each_is_written_once_and_in_its_order_or_is_counted_as_lost(
    story: list[tuple[list[Lane], list[list[Lane]], float]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog_module, "MOST_IN_MEMORY", _ROOM)
        patch.setattr(backlog_module, "_MOST_IN_ONE", 5)
        writer = _Writer()
        for before, meanwhile, share in story:
            writer.record(before)
            writer.write(meanwhile, share)
        writer.write([[]] * (len(writer.recorded) + len(Lane) * 9 + 9), 1.0)
    assert not writer.backlog
    losses = sum(int(str(draft.data["count"])) for draft in writer.written if draft.kind == "loss")
    numbers = [int(str(draft.data["number"])) for draft in writer.written if draft.kind != "loss"]
    assert len(set(numbers)) == len(numbers), "an event was written twice"
    missing = len(writer.recorded) - len(numbers)
    assert missing <= losses, "an event is gone, and no loss tells of it"
    assert numbers == sorted(numbers)
