"""What a condition remembers survives a restart and a swap, and never stands in anybody's way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.app.memories import ROUND_S, Memories
from agent.core.clock import ManualClock, SystemClock
from agent.core.model import AlarmDefinition, Instant, PointInfo, Priority, Sample
from agent.core.ports import Facts
from agent.core.remembered import Remembered
from agent.facts import FactTable
from agent.journal import Identity, Journal
from agent.pipeline import Pipeline
from rules.condition import UNKNOWN, Condition, Verdict, number
from rules.engine import Engine
from rules.machine import Timing
from rules.memories import recall, remembered
from rules.rule import Rule
from tests.fakes import FakeRecorder

POINTS = [PointInfo("p.a")]


class Longest:
    """The greatest value up to now."""

    def __init__(self) -> None:
        self.value: float | None = None
        self.same_boot: bool | None = None

    def save(self) -> Any:
        return {"value": self.value}

    def load(self, saved: Any, same_boot: bool) -> None:
        if not isinstance(saved["value"], int | float):
            raise ValueError("no value")
        self.value, self.same_boot = saved["value"], same_boot


class NewRecord(Condition):
    """Exceeded by more than ``by`` above the greatest value before."""

    def __init__(self, by: float) -> None:
        self.by = by

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("p.a",)

    def remember(self) -> Longest:
        return Longest()

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:
        value = number(facts.get("p.a", now.mono_s))
        if value is None:
            return UNKNOWN
        before = memory.value if memory.value is not None else value
        memory.value = max(before, value)
        return Verdict(value > before + self.by, value, False)

    def describe(self) -> str:
        return f"p.a more than {self.by:g} above all before"


def rule(id_: str, by: float = 1.0) -> Rule:
    condition = NewRecord(by)
    definition = AlarmDefinition(id_, "record", Priority.P3, {}, condition.inputs, condition.describe())
    return Rule(definition, condition, Timing())


def seen(engine: Engine, value: float) -> None:
    now, facts = ManualClock().now(), FactTable(POINTS)
    engine.evaluate(facts, facts.update([Sample.good("p.a", value, now)]), now)


def value(engine: Engine, id_: str = "r") -> float | None:
    memory: Any = engine.slots[id_].memory
    return memory.value  # type: ignore[no-any-return]


def test_a_swap_keeps_the_memory_of_a_condition_that_is_the_same() -> None:
    before, after = Engine([rule("r"), rule("s")]), Engine([rule("r"), rule("s", by=2.0)])
    seen(before, 40.0)
    after.adopt(before, ManualClock().now())
    assert value(after) == 40.0 and value(after, "s") is None


@pytest.mark.parametrize("body", ['{"value": null}', '{"valve": 1}', "5", "{half", '{"value": "x"}', "null"])
def test_what_cannot_be_used_is_told_and_forgotten(body: str) -> None:
    engine = Engine([rule("r")])
    refused = list(recall(engine.slots, [(Remembered("r", engine.slots["r"].rule.fingerprint, body), True)]))
    assert [id_ for id_, _ in refused] == ["r"] and value(engine) is None
    seen(engine, 3.0)
    assert value(engine) == 3.0


def test_what_another_condition_kept_is_left_alone() -> None:
    before, engine = Engine([rule("r", by=5.0)]), Engine([rule("r")])
    seen(before, 40.0)
    row = remembered(before.slots["r"])
    assert row is not None and list(recall(engine.slots, [(row, True), (Remembered("gone", "", "1"), True)])) == []
    assert value(engine) is None


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    who = Identity("gw", "works", "hall", "0")
    engine = Engine([rule("r"), rule("quiet")])
    seen(engine, 40.0)
    with Journal(tmp_path / "journal.db", who, SystemClock()) as journal:
        await _memories(engine, journal).save_all()
    again = Engine([rule("r")])
    with Journal(tmp_path / "journal.db", who, SystemClock()) as journal:
        await _memories(again, journal).restore()
    memory: Any = again.slots["r"].memory
    assert value(again) == 40.0 and memory.same_boot is True


async def test_each_has_its_turn_within_a_minute(tmp_path: Path) -> None:
    engine = Engine([rule(f"r{number}") for number in range(150)])
    journal = Journal(tmp_path / "journal.db", Identity("gw", "works", "hall", "0"), SystemClock())
    memories = _memories(engine, journal)
    with journal:
        for _ in range(ROUND_S):
            memories.save_share()
        await journal.settled()
        assert len(await journal.memories()) == 150


async def test_a_disk_that_fails_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    engine = Engine([rule("r")])
    seen(engine, 40.0)
    with Journal(tmp_path / "state" / "journal.db", Identity("gw", "works", "hall", "0"), SystemClock()) as journal:
        memories = _memories(engine, journal)
        await memories.restore()
        memories.save_share()
        await memories.save_all()
    assert value(engine) == 40.0


def _memories(engine: Engine, journal: Journal) -> Memories:
    annunciator: Any = None
    return Memories(Pipeline(FactTable(POINTS), engine, annunciator, FakeRecorder(), ManualClock()), journal)
