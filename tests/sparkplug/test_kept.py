"""The history on disk: cut anywhere, damaged, full, or on a disk that takes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.model import Instant, PointInfo, Sample
from agent.sparkplug.history import History
from agent.sparkplug.kept import Kept

BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
POINTS = (PointInfo("pump.flow"), PointInfo("pump.name"))


def at(seconds: float, mono_s: float = 1000.0) -> Instant:
    return Instant(mono_s + seconds, BEGIN + timedelta(seconds=seconds))


def flow(number: int) -> Sample:
    return Sample.good("pump.flow", float(number), at(number))


async def written(path: Path, limit: int, batches: list[int]) -> tuple[Kept, History, list[int]]:
    """Keep samples of so many numbers, one batch after the other; return the size of the file after each."""
    kept, history, sizes, number = Kept(path, POINTS, limit), History(limit), [0], 0
    assert await kept.load(at(0)) == ([], 0)
    for turn, count in enumerate(batches, 1):
        for _ in range(count):
            history.add("pump", flow(number))
            number += 1
        await kept.look(history, at(turn * 10.0))
        sizes.append(path.stat().st_size)
    return kept, history, sizes


@settings(max_examples=40)
@given(batches=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_after_a_cut_anywhere_all_that_was_written_before_is_there_with_its_time(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], data: st.DataObject
) -> None:
    import asyncio

    path = tmp_path_factory.mktemp("kept") / "sparkplug.history"

    async def live() -> None:
        _, _, sizes = await written(path, 100, batches)
        cut = data.draw(st.integers(sizes[1], sizes[-1]))
        path.write_bytes(path.read_bytes()[:cut])
        whole = sum(count for count, size in zip(batches, sizes[1:], strict=True) if size <= cut)
        found, damaged = await Kept(path, POINTS, 100).load(at(100, mono_s=5.0))
        assert [sample.value for sample in found] == [float(number) for number in range(whole)]
        assert damaged == (cut not in sizes), "what is cut off is told"
        assert [round(sample.received_s - 5.0, 3) for sample in found] == list(range(whole)), "on the clock of today"
        drifts = [abs(each.received_at - flow(number).received_at) for number, each in enumerate(found)]
        assert max(drifts, default=timedelta()) < timedelta(milliseconds=1)

    asyncio.run(live())


async def test_once_all_is_told_the_file_is_gone_and_it_never_grows_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.sparkplug.kept.ROWS", 0)
    path = tmp_path / "sparkplug.history"
    kept, history, sizes = await written(path, 10, [10] * 20)
    assert max(sizes[10:]) <= 1.1 * max(sizes[:10]), "what was dropped is not kept for ever"
    found, damaged = await Kept(path, POINTS, 10).load(at(300))
    assert damaged == 0 and [sample.value for sample in found][-10:] == [float(number) for number in range(190, 200)]
    history.take(("pump",), 10)
    await kept.look(history, at(300))
    assert not path.exists() and await Kept(path, POINTS, 10).load(at(0)) == ([], 0)


async def test_a_disk_that_takes_nothing_is_told_at_the_end_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way of the folder")
    path, history = tmp_path / "state" / "sparkplug.history", History(10)
    kept = Kept(path, POINTS, 10)
    _, damaged = await kept.load(at(0))
    assert damaged == 1, "it cannot be read, either"
    history.add("pump", flow(1))
    assert not await kept.end(history, at(10))
    (tmp_path / "state").unlink()
    assert await kept.end(history, at(20))
    found, _ = await Kept(path, POINTS, 10).load(at(30))
    assert [sample.value for sample in found] == [1.0]


async def test_an_edge_node_that_begins_anew_in_a_running_agent_takes_nothing_up_twice(tmp_path: Path) -> None:
    kept, history, _ = await written(tmp_path / "sparkplug.history", 10, [3])
    assert await kept.load(at(20)) == ([], 0) and history.count == 3


async def test_nothing_is_written_over_what_was_not_read_yet(tmp_path: Path) -> None:
    path = tmp_path / "sparkplug.history"
    await written(path, 10, [3])
    assert await Kept(path, POINTS, 10).end(History(10), at(20))
    assert len((await Kept(path, POINTS, 10).load(at(20)))[0]) == 3
