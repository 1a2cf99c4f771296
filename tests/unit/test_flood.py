"""Floods and who is muted by them, with no clock but the test's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent.core.model import Alarm, AlarmDefinition, Instant, Priority
from agent.flood import SUMMARY, FloodMonitor, is_muted_by_flood

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> Instant:
    return Instant(seconds, START + timedelta(seconds=seconds))


def definition(priority: Priority, zone: str = "press", **more: object) -> AlarmDefinition:
    return AlarmDefinition("a", "level", priority, {"en": "A"}, (), "", zone=zone, **more)  # type: ignore[arg-type]


def muted(of: AlarmDefinition, zones: set[str], escalated: int = 0) -> bool:
    return is_muted_by_flood(of, Alarm(of.id, escalated=escalated), zones)


def test_eleven_in_ten_minutes_are_a_flood_and_ten_are_none() -> None:
    monitor = FloodMonitor()
    for second in range(10):
        monitor.raised("press", Priority.P3, second)
    assert monitor.look(at(10)) == [] and monitor.lately(10) == 10
    monitor.raised("press", Priority.P1, 11)
    changes = monitor.look(at(11))
    assert {(change.begins, change.flood.zone, change.flood.raised) for change in changes} == {
        (True, "press", 11), (True, "", 11)
    }  # fmt: skip
    assert changes[0].flood.priorities == {"P3": 10, "P1": 1}
    assert monitor.look(at(12)) == []


def test_it_ends_below_five() -> None:
    monitor = FloodMonitor()
    for second in range(0, 110, 10):
        monitor.raised("press", Priority.P3, second)
    assert monitor.look(at(110))
    assert monitor.look(at(659)) == [], "five are left, the oldest of 60 s"
    ended = monitor.look(at(660))
    assert {(change.begins, change.flood.zone) for change in ended} == {(False, "press"), (False, "")}
    assert list(monitor.zones) == []


def test_a_quiet_zone_is_not_flooded_with_the_area() -> None:
    monitor = FloodMonitor()
    for second in range(12):
        monitor.raised(("press", "boiler")[second % 2], Priority.P3, second)
    assert [change.flood.zone for change in monitor.look(at(12))] == [""]


def test_what_comes_late_from_the_journal_finds_its_place() -> None:
    monitor = FloodMonitor()
    monitor.raised("", Priority.P3, 1000.0)
    monitor.raised("", Priority.P3, 300.0)
    monitor.look(at(1000.0))
    assert monitor.lately(1000.0) == 1
    for _ in range(10):
        monitor.raised("", Priority.P3, 900.0)
    assert monitor.look(at(1000.0))


def test_urgent_alarms_and_those_with_outputs_of_their_own_are_never_muted() -> None:
    flooded = {"press", ""}
    assert muted(definition(Priority.P3), flooded) and muted(definition(Priority.P4), flooded)
    assert not muted(definition(Priority.P1), flooded)
    assert not muted(definition(Priority.P2), flooded)
    assert not muted(definition(Priority.P3, outputs=("lamp",)), flooded)
    assert not muted(definition(Priority.P3, zone="boiler"), flooded)
    assert not muted(definition(Priority.P3), flooded, escalated=1), "nobody has answered"
    summary = AlarmDefinition(SUMMARY, "condition", Priority.P3, {"en": "Flood"}, (), "")
    assert not muted(summary, flooded)


@given(st.lists(st.tuples(st.floats(0, 120), st.sampled_from(["", "a", "b"])), max_size=60))
def test_a_flood_is_always_one_of_the_area_and_ends_when_nothing_comes(raises: list[tuple[float, str]]) -> None:
    monitor, now_s = FloodMonitor(), 0.0
    for wait_s, zone in raises:
        now_s += wait_s
        monitor.raised(zone, Priority.P3, now_s)
        monitor.look(at(now_s))
        assert not monitor.zones or "" in monitor.zones
        assert all(flood.raised > 10 for flood in monitor.floods)
    monitor.look(at(now_s + 601))
    assert list(monitor.zones) == [] and monitor.lately(now_s + 601) == 0
