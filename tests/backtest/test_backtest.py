"""Rules on a recording: the same as the agent would have done, only quicker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.app.backtest.occurrences import Matched, Occurrences, Span, match
from agent.app.backtest.player import Player
from agent.cli.replay import replay
from agent.core.clock import SystemClock
from agent.core.model import Change, Instant, PointInfo, Quality, Sample, Value
from agent.core.recording import Head, Recording, Writer
from agent.facts import FactTable
from agent.journal import Identity, Journal
from agent.pipeline import rounds
from agent.reports import alarm_event
from rules.engine import Engine
from rules.kinds.condition import ConditionOptions
from rules.kinds.count import CountOptions
from rules.kinds.level import LevelOptions
from rules.kinds.rate import RateOptions
from rules.kinds.share import ShareOptions
from rules.rule import Rule
from tests.rulesets.rig import compile_rules, gas, text

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
INFOS = {
    "p.a": PointInfo("p.a", stale_after_s=3.0),
    "p.b": PointInfo("p.b", stale_after_s=7.5),
    "p.c": PointInfo("p.c"),
}


def sample(point: str, value: Value, at_s: float, quality: Quality = Quality.GOOD) -> Sample:
    quality = Quality.BAD if value is None else quality
    return Sample(point, value, quality, START + timedelta(seconds=at_s), at_s)


def record(path: Path, samples: Sequence[Sample], infos: Sequence[PointInfo] = tuple(INFOS.values())) -> Path:
    writer = Writer(path, Head(tuple(infos), START, "site.yaml", "abc"), 0.0)
    writer.add(samples)
    writer.close()
    return path


def rules() -> list[Rule]:
    level = {"id": "a", "name": "A", "input": "p.a", "deadband": 1, "on_delay": "2s", "off_delay": "1500ms"}
    limits = {"H": {"at": 5, "priority": "P3"}, "HH": {"at": 8, "priority": "P1", "on_delay": "0s"}}
    cel = {"id": "c", "name": "C", "inputs": {"a": "p.a", "b": "p.b", "c": "p.c"}, "when": "c && a + b > 9.0"}
    low = {**level, "id": "b", "input": "p.b", "limits": {"L": {"at": 2, "priority": "P2"}}}
    made = (
        LevelOptions.model_validate({**level, "limits": limits}),
        LevelOptions.model_validate(low),
        ConditionOptions.model_validate({**cel, "priority": "P2", "on_delay": "1s"}),
        CountOptions.model_validate(
            {
                **cel,
                "id": "n",
                "inputs": {"a": "p.a"},
                "when": "a > 4.0",
                "priority": "P4",
                "count": 3,
                "of": "samples",
                "window": "10s",
            }
        ),
        RateOptions.model_validate(
            {"id": "r", "name": "R", "input": "p.b", "at": 30, "window": "4s", "priority": "P3"}
        ),
    )
    return [rule for options in made for rule in options.compile(INFOS)]


def plainly(samples: Sequence[Sample]) -> dict[str, list[Span]]:
    """Do with every sample what the agent does, one after another, with a sweep each second."""
    engine, facts = Engine(rules()), FactTable(INFOS.values())
    heard = Occurrences(engine.definitions)
    sweep_s = 1.0

    def at(seconds: float) -> Instant:
        return Instant(seconds, START + timedelta(seconds=seconds))

    def pass_time(until_s: float) -> None:
        nonlocal sweep_s
        while (next_s := min(engine.next_due_s() or inf, sweep_s)) <= until_s:
            if next_s >= sweep_s:
                heard.hear(engine.sweep(facts, facts.expired(next_s), at(next_s)), next_s)
                sweep_s += 1.0
            else:
                heard.hear(engine.evaluate(facts, (), at(next_s)), next_s)

    moments = sorted({each.received_s for each in samples})
    for moment_s in moments:
        pass_time(moment_s)
        for batch in rounds([each for each in samples if each.received_s == moment_s]):
            changed = facts.update(batch, engine.counted)
            if changed:
                heard.hear(engine.evaluate(facts, changed, at(moment_s)), moment_s)
    pass_time(moments[-1])
    heard.close(moments[-1])
    return heard.spans


numbers = st.one_of(st.none(), st.integers(0, 10).map(float), st.integers(0, 10))
steps = st.tuples(
    st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5, 6.0]),
    st.one_of(
        st.tuples(st.sampled_from(["p.a", "p.b"]), numbers, st.sampled_from([Quality.GOOD, Quality.UNCERTAIN])),
        st.tuples(st.just("p.c"), st.booleans(), st.just(Quality.GOOD)),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, min_size=1, max_size=60))
def test_a_replay_does_what_the_agent_would_have_done(tmp_path_factory: Any, given_steps: list[Any]) -> None:
    samples, now_s = [], 0.0
    for wait_s, (point, value, quality) in given_steps:
        now_s += wait_s
        samples.append(sample(point, value, now_s, quality))
    path = record(tmp_path_factory.mktemp("r") / "a.rec", samples)
    engines = [Engine(rules()), Engine(rules()[:1])]
    heard = [Occurrences(engine.definitions) for engine in engines]

    def hear(number: int, changes: Sequence[Change], at_s: float) -> None:
        heard[number].hear(changes, at_s)

    recording = Recording(path)
    Player(engines, recording.head.points, START, hear).play(recording)
    heard[0].close(recording.end_s)
    assert recording.samples == len(samples) and recording.end_s == now_s
    assert heard[0].spans == plainly(samples)


def test_every_picture_counts_though_it_shows_the_same(tmp_path: Path) -> None:
    share = {"id": "s", "name": "S", "inputs": {"bare": "p.c"}, "when": "bare > 0", "priority": "P3"}
    engine = Engine(ShareOptions.model_validate(share).compile(INFOS))
    path = record(tmp_path / "pictures.rec", [sample("p.c", 1, 10 + index / 2) for index in range(6)])
    raised: list[float] = []

    def hear(number: int, changes: Sequence[Change], at_s: float) -> None:
        raised.extend(at_s for change in changes if change.transition is not None)

    Player([engine], list(INFOS.values()), START, hear).play(Recording(path))
    assert raised == [12.0]


def spans(*pairs: tuple[float, float]) -> list[Span]:
    return [Span(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (spans((1, 2)), spans((1, 2)), Matched(1, (), (), ())),
        (spans((1, 2)), spans((1, 3)), Matched(0, ((Span(1, 2), Span(1, 3)),), (), ())),
        (spans((1, 2)), spans((2, 3)), Matched(0, (), (Span(1, 2),), (Span(2, 3),))),
        (spans((1, inf)), spans((1, inf)), Matched(1, (), (), ())),
        (spans((5, 6)), [], Matched(0, (), (Span(5, 6),), ())),
        ([], spans((5, 6)), Matched(0, (), (), (Span(5, 6),))),
        (spans((1, 9)), spans((2, 3), (4, 5)), Matched(0, ((Span(1, 9), Span(2, 3)),), (), (Span(4, 5),))),
        (spans((1, 1)), spans((1.05, 1.05)), Matched(1, (), (), ())),
    ],
)
def test_occurrences_are_paired_once(new: list[Span], old: list[Span], expected: Matched) -> None:
    assert match(new, old, 0.1) == expected


def plant(tmp_path: Path) -> Path:
    """Gas at 25 for ten seconds, at 45 for five, and then gone."""
    values = [25.0] * 10 + [45.0] * 5 + [1.0] * 5
    infos = [PointInfo("room.gas", "%LEL", stale_after_s=3.0)]
    return record(tmp_path / "plant.rec", [sample("room.gas", value, s) for s, value in enumerate(values)], infos)


def files(tmp_path: Path, **named: str) -> list[Path]:
    for name, content in named.items():
        (tmp_path / f"{name}.yaml").write_text(content)
    return [tmp_path / f"{name}.yaml" for name in named]


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], new: Path, against: Sequence[str] = (), **more: Any) -> Any:
    options = {"site": None, "as_json": True, "fail": True, "state": None, **more}
    status = replay(
        plant(tmp_path), [new], options["site"], against, options["as_json"], options["fail"], options["state"]
    )
    out, err = capsys.readouterr()
    assert not err or status == 1, err
    return status, json.loads(out) if options["as_json"] and out else out + err


def test_what_would_have_been_raised_and_what_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = files(tmp_path, new=text(gas(at=40), gas("extra", 44)), old=text(gas(at=20), gas("extra", 44)))
    status, found = run(tmp_path, capsys, new, [str(old)])
    assert status == 1 and found["differs"] and found["samples"] == 20 and found["span_s"] == 19.0
    assert found["new"] == {"occurrences": 2, "by_priority": {"P1": 0, "P2": 2, "P3": 0, "P4": 0}, "sounding_s": 5.0}
    assert found["old"]["sounding_s"] == 15.0
    extra, changed = found["alarms"]
    assert (extra["alarm"], extra["same"], extra["only_new"], extra["only_old"]) == ("extra.H", 1, [], [])
    assert changed["moved"] == [{"new": {"start_s": 10.0, "end_s": 15.0}, "old": {"start_s": 0.0, "end_s": 15.0}}]
    assert (changed["time_in_s"], changed["time_in_before_s"]) == (5.0, 15.0)
    assert run(tmp_path, capsys, old, [str(old)])[0] == 0
    _, told = run(tmp_path, capsys, new, [str(old)], as_json=False)
    assert "! gas.H (P2): 1 in both, 0 only new, 0 only old; 5s in alarm, was 15s" in told
    assert "    ~ 03-01 08:00:10.0 for 5s, was 03-01 08:00:00.0 for 15s" in told


def test_what_the_recording_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = "inputs: {a: room.gas, b: room.door}, when: a > 20.0 && b"
    (new,) = files(tmp_path, new=text(gas(), f"  - {{id: c, kind: condition, {both}, priority: P2, name: C}}\n"))
    status, found = run(tmp_path, capsys, new, fail=False)
    assert status == 0 and found["not_judged"] == {"c": ["room.door"]} and found["old"] is None
    assert [each["alarm"] for each in found["alarms"]] == ["gas.H"]


SITE = """
gateway: {id: gw, site: works, state: state}
rules: [rules.yaml]
devices:
  room:
    protocol: simulated
    points: {gas: {value: 1.0, unit: "%LEL"}}
"""


def test_a_site_knows_its_points_and_its_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, _, new, wrong = files(tmp_path, site=SITE, rules=text(gas()), new=text(gas(at=40)), wrong=text(gas()))
    assert run(tmp_path, capsys, new, site=site)[1]["old"]["by_priority"]["P2"] == 1
    wrong.write_text(text(gas()).replace("room.gas", "room.gaz"))
    status, told = run(tmp_path, capsys, wrong, site=site, as_json=False)
    assert status == 1 and "there is no point 'room.gaz'; did you mean 'room.gas'?" in told
    status, told = run(tmp_path, capsys, new, ["journal"], site=site, as_json=False)
    assert status == 1 and "there is no journal" in told
    assert "--against journal needs --site" in run(tmp_path, capsys, new, ["journal"], as_json=False)[1]


async def test_against_what_the_journal_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, _, new = files(tmp_path, site=SITE, rules=text(gas()), new=text(gas(at=40)))
    engine, facts = Engine(compile_rules([tmp_path / "rules.yaml"])), FactTable([PointInfo("room.gas")])
    with Journal(tmp_path / "state" / "journal.db", Identity("gw", "works", "", "0"), SystemClock()) as journal:
        for at_s, value in ((-50.0, 25.0), (-40.0, 1.0), (0.3, 25.0), (15.2, 1.0)):  # the first was over before
            now = Instant(at_s, START + timedelta(seconds=at_s))
            for change in engine.evaluate(facts, facts.update([sample("room.gas", value, at_s)]), now):
                assert change.transition is not None
                definition, delays = engine.definitions["gas.H"], engine.delays("gas.H")
                journal.record([alarm_event(change.transition, change.alarm, definition, {}, delays)], ())
        await journal.settled()
    _, found = run(tmp_path, capsys, new, ["journal"], site=site)
    (alarm,) = found["alarms"]
    assert alarm["moved"] == [{"new": {"start_s": 10.0, "end_s": 15.0}, "old": {"start_s": 0.3, "end_s": 15.2}}]
    assert found["old"]["sounding_s"] == 14.9
    status, _ = run(tmp_path, capsys, tmp_path / "rules.yaml", ["journal"], site=site)
    assert status == 0, "the agent polls at moments of its own"


def test_a_file_that_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (new,) = files(tmp_path, new=text(gas()))
    assert replay(new, [new], None, (), False, False, None) == 1
    assert "is no recording" in capsys.readouterr().err
