from __future__ import annotations

from agent.core.clock import ManualClock
from agent.core.model import PointInfo, Quality, Sample
from agent.facts import FactTable


def test_a_change_is_a_change_of_value_or_quality() -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("a")])
    assert len(facts.update([Sample.good("a", 1, clock.now())])) == 1
    assert facts.update([Sample.good("a", 1, clock.advance(1))]) == []
    assert len(facts.update([Sample.bad("a", "lost", clock.now())])) == 1


def test_a_sample_that_is_too_old_is_unknown_and_says_why() -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("a", stale_after_s=2.0)])
    facts.update([Sample.good("a", 1, clock.now())])
    assert facts.get("a", clock.advance(2.0).mono_s) == Sample.good("a", 1, ManualClock().now())
    stale = facts.get("a", clock.advance(0.5).mono_s)
    assert stale is not None and stale.quality is Quality.BAD and stale.reason == "stale: no sample for 2.5s"


def test_the_same_value_after_staleness_is_a_change() -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("a", stale_after_s=2.0)])
    facts.update([Sample.good("a", 1, clock.now())])
    assert len(facts.update([Sample.good("a", 1, clock.advance(3.0))])) == 1


def test_a_point_that_reports_by_exception_is_never_stale() -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("a")])
    facts.update([Sample.good("a", 1, clock.now())])
    sample = facts.get("a", clock.advance(1e6).mono_s)
    assert sample is not None and sample.value == 1
    assert facts.get("never", 0.0) is None


def test_the_wall_clock_does_not_age_a_sample() -> None:
    clock, facts = ManualClock(), FactTable([PointInfo("a", stale_after_s=2.0)])
    facts.update([Sample.good("a", 1, clock.now())])
    sample = facts.get("a", clock.step_utc(86400).mono_s)
    assert sample is not None and sample.value == 1


def test_a_point_that_came_back_and_fell_silent_between_two_looks_has_gone_stale_again() -> None:
    clock = ManualClock()
    facts = FactTable([PointInfo("plc.a", stale_after_s=0.5)])
    for _ in range(2):
        facts.update([Sample.good("plc.a", 1, clock.now())])
        now = clock.advance(1.0)
        assert [sample.point for sample in facts.expired(now.mono_s)] == ["plc.a"]
        assert facts.expired(clock.advance(1.0).mono_s) == []


def test_why_a_point_is_unknown_outlives_its_time() -> None:
    clock = ManualClock()
    facts = FactTable([PointInfo("plc.a", stale_after_s=0.6)])
    facts.update([Sample.bad("plc.a", "no connection to 10.0.0.1:502: Connection refused", clock.now())])
    now = clock.advance(5.0)
    assert facts.expired(now.mono_s) == [], "it was unknown before"
    sample = facts.get("plc.a", now.mono_s)
    assert sample is not None and sample.reason == "no connection to 10.0.0.1:502: Connection refused"
    facts.update([Sample.good("plc.a", 1, now)])
    assert [each.point for each in facts.expired(clock.advance(1.0).mono_s)] == ["plc.a"]
