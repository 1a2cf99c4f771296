"""The explainer beside a real pipeline and a real journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.annunciation import Annunciator
from agent.app.explaining import Explainer
from agent.app.trail import DEPTH, Trail
from agent.core.clock import ManualClock
from agent.core.model import Instant, PointInfo, Sample
from agent.facts import FactTable
from agent.journal import Identity, Journal
from agent.pipeline import Pipeline
from rules.engine import Engine
from rules.loading import load_rules

RULES = "rules: [{id: ID, kind: condition, inputs: {x: POINT}, when: x > 5, priority: P3, name: A}]"
POINTS = {id_: PointInfo(id_) for id_ in ("a.x", "a.y")}
NOW = ManualClock().now()


def engine(folder: Path, id_: str, point: str) -> Engine:
    (folder / "r.yaml").write_text(RULES.replace("ID", id_).replace("POINT", point))
    return Engine(load_rules([folder / "r.yaml"], POINTS, None))


async def test_it_tells_samples_and_what_the_journal_has(tmp_path: Path) -> None:
    clock = ManualClock()
    with Journal(tmp_path / "j.db", Identity("gw", "s", "", "0", "c", "r"), clock) as journal:
        facts, annunciator = FactTable(POINTS.values()), Annunciator({}, {}, lambda: None)
        pipeline = Pipeline(facts, engine(tmp_path, "one", "a.x"), annunciator, journal, clock)
        explainer = Explainer(pipeline, journal, clock)
        for value in (1, 1, 9):
            pipeline.ingest([Sample.good("a.x", value, clock.now()), Sample.good("a.y", value, clock.now())])
            clock.advance(1.0)
        await journal.settled()
        told = await explainer.explain("one")
        assert [(row["value"], row["age_s"]) for row in told["samples"]["a.x"]] == [(1, 3.0), (9, 1.0)]
        assert told["state"] == "unacknowledged" and "a.x = 9, good, 1.0 s old" in told["inputs"]
        assert [event["data"]["action"] for event in told["events"]] == ["raised"]
        with pytest.raises(KeyError):
            await explainer.explain("two")
        pipeline.engine = engine(tmp_path, "two", "a.y")  # another rule set
        assert (await explainer.explain("two"))["samples"] == {"a.y": []}
        pipeline.ingest([Sample.good("a.y", 3, clock.now())])
        assert [row["value"] for row in (await explainer.explain("two"))["samples"]["a.y"]] == [3]


def test_a_trail_is_bounded_and_forgets_what_nobody_watches() -> None:
    trail = Trail(["a"])
    trail.add([Sample.good(point, n, Instant(n, NOW.utc)) for n in range(100) for point in ("a", "b")])
    assert [sample.value for sample in trail.of("a")] == list(range(100 - DEPTH, 100)) and trail.of("b") == ()
    trail.watch(["a", "b"])
    assert len(trail.of("a")) == DEPTH
    trail.watch(["b"])
    assert trail.of("a") == ()
