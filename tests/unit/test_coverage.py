"""Minutes that were really watched, by rule and shift."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from agent.core.clock import ManualClock
from agent.core.model import AlarmDefinition, Instant, Priority
from agent.coverage import Coverage, Span, watching
from agent.policy import Policy, ShiftOptions

INPUTS = {"ppe": ("gate.no_helmet", "yard.no_helmet"), "walkers": ("gate.persons",)}


class Rig:
    def __init__(self, policy: Policy | None = None, at: datetime | None = None) -> None:
        clock = ManualClock()
        self.now = Instant(clock.now().mono_s, at or clock.now().utc)
        self.coverage = Coverage(policy or Policy())
        self.bad: set[str] = set()
        self.over: list[Span] = []

    def live(self, seconds: int, step: int = 1) -> None:
        for _ in range(0, seconds, step):
            self.now = Instant(self.now.mono_s + step, self.now.utc + timedelta(seconds=step))
            over = self.coverage.look(INPUTS, lambda point: point not in self.bad, self.now)
            self.over += [over] if over is not None else []

    def counts(self) -> dict[str, tuple[int, int]]:
        return {row["rule"]: (row["watched"], row["minutes"]) for row in self.coverage.rows()}


def test_one_bad_second_of_one_camera_costs_the_minute_of_its_rules_only() -> None:
    rig = Rig()
    rig.live(200)
    rig.bad = {"yard.no_helmet"}
    rig.live(1)
    rig.bad = set()
    rig.live(160)
    assert rig.counts() == {"ppe": (5, 6), "walkers": (6, 6)}


def test_a_minute_in_which_nobody_looked_is_not_watched() -> None:
    rig = Rig()
    rig.live(30)
    rig.live(10, step=10)
    rig.live(21)
    assert rig.counts()["walkers"] == (0, 1)
    rig.live(60)
    assert rig.counts()["walkers"] == (1, 2)


def test_each_shift_has_its_own_account_and_is_told_when_it_is_over() -> None:
    def shift(begin: str, end: str, crew: str) -> ShiftOptions:
        return ShiftOptions.model_validate({"from": begin, "to": end, "crew": crew})

    zone = ZoneInfo("Asia/Shanghai")
    shifts = {"day": shift("08:00", "20:00", "A"), "night": shift("20:00", "08:00", "B")}
    rig = Rig(Policy(Priority.P2, shifts, zone), datetime(2026, 5, 1, 19, 55, tzinfo=zone))
    rig.live(10 * 60)
    night, day = rig.coverage.rows()[0], rig.coverage.rows()[2]
    assert (day["shift"], day["crew"], night["shift"], night["crew"]) == ("day", "A", "night", "B")
    assert 4 <= day["watched"] == day["minutes"] <= 6 and night["minutes"] >= 3
    assert [span.shift for span in rig.over] == ["day"]
    rig.live(5 * 3600)
    assert len(rig.over) == 1, "midnight ends no night shift"


def test_without_shifts_a_day_is_one() -> None:
    rig = Rig(at=datetime(2026, 5, 1, 23, 58, tzinfo=ZoneInfo("UTC")))
    rig.live(240)
    assert len(rig.coverage.spans) == 2


def test_a_rule_that_only_asks_whether_data_come_watches_nothing() -> None:
    def rule(id_: str, kind: str, *inputs: str) -> AlarmDefinition:
        return AlarmDefinition(id_, kind, Priority.P3, {}, inputs, "", rule=id_.split(".")[0])

    facts = frozenset({"gate.persons", "gate.fire"})
    rules = [rule("a.H", "level", "gate.persons"), rule("a.HH", "level", "gate.fire", "plc.x")]
    rules += [rule("old", "stale", "gate.persons"), rule("b", "condition", "gate.camera_ok")]
    assert watching(rules, facts) == {"a": facts}
