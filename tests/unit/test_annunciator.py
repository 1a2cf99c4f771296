from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.annunciation import Annunciation, Annunciator, OutputKind, shipped
from agent.annunciation.kinds import stronger
from agent.annunciation.patterns import Pattern, Profile
from agent.core.calendars import Calendar, Window
from agent.core.clock import ManualClock
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Escalation, Instant, Level, Priority, Removal

OUTPUTS = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
NORMAL, UNACK, ACKED, RETURNED = (
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
)


Live = tuple[AlarmDefinition, Alarm]
NOW = ManualClock().now()


def alarm(
    state: AlarmState, priority: Priority = Priority.P1, silenced: bool = False, outputs: tuple[str, ...] | None = None
) -> Live:
    definition = AlarmDefinition("a", "level", priority, {"en": "A"}, (), "", outputs=outputs)
    called = ManualClock().now()
    return definition, Alarm("a", state, active=state in (UNACK, ACKED), silenced=silenced, called=called)


def wanted_levels(
    outputs: dict[str, OutputKind], alarms: Sequence[Live], data: Annunciation | None = None, now: Instant = NOW
) -> dict[str, Level]:
    annunciator = Annunciator(outputs, {}, lambda: None, data)
    annunciator.refresh([each for each in alarms if each[1].state is not NORMAL], now)
    return annunciator.wanted


@pytest.mark.parametrize(
    ("state", "priority", "silenced", "expected"),
    [
        (NORMAL, Priority.P1, False, ("off", "off", "off")),
        (UNACK, Priority.P1, False, ("modulated", "flash", "off")),
        (UNACK, Priority.P1, True, ("off", "flash", "off")),
        (ACKED, Priority.P1, False, ("off", "on", "off")),
        (RETURNED, Priority.P1, False, ("off", "flash", "off")),
        (UNACK, Priority.P2, False, ("intermittent", "slow-flash", "off")),
        (UNACK, Priority.P3, False, ("off", "off", "flash")),
        (ACKED, Priority.P3, False, ("off", "off", "on")),
        (UNACK, Priority.P4, False, ("off", "off", "on")),
    ],
)
def test_pattern(state: AlarmState, priority: Priority, silenced: bool, expected: tuple[str, ...]) -> None:
    assert tuple(wanted_levels(OUTPUTS, [alarm(state, priority, silenced)]).values()) == expected


@given(st.lists(st.tuples(st.sampled_from([NORMAL, UNACK, ACKED, RETURNED]), st.sampled_from(Priority), st.booleans())))
def test_an_alarm_more_never_weakens_an_output(alarms: list[tuple[AlarmState, Priority, bool]]) -> None:
    made = [alarm(*each) for each in alarms]
    steps = [wanted_levels(OUTPUTS, made[:count]) for count in range(len(made) + 1)]
    for fewer, more in itertools.pairwise(steps):
        assert all(stronger(more[name], fewer[name]) is more[name] for name in OUTPUTS)


@given(st.permutations([alarm(UNACK, Priority.P3), alarm(ACKED, Priority.P1), alarm(RETURNED, Priority.P2)]))
def test_the_order_of_alarms_does_not_matter(alarms: list[tuple[AlarmDefinition, Alarm]]) -> None:
    assert wanted_levels(OUTPUTS, alarms) == {"siren": "off", "red": "slow-flash", "yellow": "flash"}


def test_an_alarm_may_be_restricted_to_outputs() -> None:
    assert wanted_levels(OUTPUTS, [alarm(UNACK, outputs=("red",))])["siren"] is Level.OFF


def test_a_test_ends_by_itself_and_never_weakens_an_alarm() -> None:
    clock, calls = ManualClock(), []
    annunciator = Annunciator(OUTPUTS, {}, lambda: calls.append(1))
    annunciator.test(["siren", "red"], clock.now().mono_s + 3)
    assert annunciator.refresh([alarm(UNACK, silenced=True)], clock.now()) == [("siren", "on"), ("red", "flash")]
    assert annunciator.next_due_s() == clock.now().mono_s + 3
    assert annunciator.refresh([alarm(UNACK, silenced=True)], clock.advance(3)) == [("siren", "off")]
    assert len(calls) == 2


def test_a_backup_takes_over_while_the_first_is_not_confirmed() -> None:
    clock, outputs = ManualClock(), {**OUTPUTS, "horn": OutputKind.SIREN}
    annunciator = Annunciator(outputs, {"siren": "horn"}, lambda: None)
    annunciator.refresh([alarm(UNACK)], clock.now())
    assert annunciator.wanted["horn"] == "off"
    annunciator.unconfirmed({"siren"})
    annunciator.refresh([alarm(UNACK)], clock.now())
    assert annunciator.wanted["horn"] == "modulated"
    annunciator.unconfirmed(())
    annunciator.refresh([alarm(UNACK)], clock.now())
    assert annunciator.wanted["horn"] == "off"


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_the_last_backup_sounds_in_whatever_order_the_outputs_are_written(order: str) -> None:
    clock, chain = ManualClock(), {"a": "b", "b": "c"}
    kinds = {name: OutputKind.SIREN if name == "a" else OutputKind.BLUE for name in order}
    annunciator = Annunciator(kinds, {name: chain[name] for name in order if name in chain}, lambda: None)
    annunciator.unconfirmed({"a", "b"})
    annunciator.refresh([alarm(UNACK)], clock.now())
    assert annunciator.wanted["c"] == "flash"


SIRENS = {"hall": OutputKind.SIREN, "yard": OutputKind.SIREN, "desk": OutputKind.BUZZER}


def chiming(**more: object) -> Annunciation:
    return replace(shipped(), chimes=frozenset({"desk"}), **more)  # type: ignore[arg-type]


def test_the_highest_priority_owns_the_sound_and_nobody_falls_silent_for_it() -> None:
    alarms = [alarm(UNACK, Priority.P2, outputs=("yard",)), alarm(UNACK, Priority.P1, outputs=("hall",))]
    assert wanted_levels(SIRENS, alarms, chiming()) == {"hall": "modulated", "yard": "modulated", "desk": "off"}
    apart = chiming(areas={"yard": "outside"})
    assert wanted_levels(SIRENS, alarms, apart) == {"hall": "modulated", "yard": "intermittent", "desk": "off"}
    silenced = [alarms[0], alarm(UNACK, Priority.P1, silenced=True, outputs=("hall",))]
    assert wanted_levels(SIRENS, silenced, chiming())["yard"] == "intermittent", "another alarm is still to be heard"


def test_a_chime_sounds_three_seconds_in_a_minute_and_only_where_it_can() -> None:
    definition, calling = alarm(UNACK, Priority.P3)
    annunciator, clock = Annunciator(SIRENS, {}, lambda: None, chiming()), ManualClock()
    heard = []
    while clock.now().mono_s <= NOW.mono_s + 63.5:
        annunciator.refresh([(definition, calling)], clock.now())
        heard.append((round(clock.now().mono_s - NOW.mono_s), annunciator.wanted["desk"]))
        assert annunciator.wanted["hall"] == annunciator.wanted["yard"] == "off"
        due_s = annunciator.next_due_s()
        assert due_s is not None
        clock.advance(due_s - clock.now().mono_s)
    assert heard == [(0, "chime"), (3, "off"), (60, "chime"), (63, "off")]


def test_a_removed_alarm_is_silent_and_dark_and_keeps_green_out() -> None:
    away = Removal("drill", "li", "cli", NOW.utc)
    definition, calling = alarm(UNACK)
    outputs = {**OUTPUTS, "green": OutputKind.GREEN}
    for field in ("shelved", "suppressed", "out_of_service"):
        live = [(definition, replace(calling, **{field: away}))]  # type: ignore[arg-type]
        assert set(wanted_levels(outputs, live).values()) == {"off"}
    assert wanted_levels(outputs, [])["green"] == "on"


def test_the_outputs_of_an_escalation_join_in() -> None:
    steps = (Escalation(60, "foreman", ("yard",)), Escalation(120, "manager", ("blue",)))
    definition, calling = alarm(UNACK, Priority.P3, outputs=("yellow",))
    definition = replace(definition, escalation=steps)
    outputs = {**OUTPUTS, **SIRENS, "blue": OutputKind.BLUE}

    def lit(taken: int, state: AlarmState = UNACK) -> set[str]:
        live = replace(calling, process=state, escalated=taken)
        return {name for name, level in wanted_levels(outputs, [(definition, live)]).items() if level != "off"}

    assert [lit(0), lit(1), lit(2)] == [{"yellow"}, {"yellow", "yard"}, {"yellow", "yard", "blue"}]
    assert lit(2, ACKED) == {"yellow"}


def test_a_test_gives_way_where_an_alarm_sounds() -> None:
    annunciator = Annunciator(SIRENS, {}, lambda: None, chiming(areas={"desk": "office"}))
    annunciator.test(["yard", "desk"], NOW.mono_s + 5)
    annunciator.refresh([], NOW)
    assert annunciator.wanted == {"hall": "off", "yard": "on", "desk": "on"}
    assert not annunciator.is_preempted("yard")
    annunciator.refresh([alarm(UNACK, outputs=("hall",))], NOW)
    assert annunciator.wanted == {"hall": "modulated", "yard": "off", "desk": "on"}
    assert annunciator.is_preempted("yard") and not annunciator.is_preempted("desk")


def test_a_profile_counts_while_its_calendar_does_and_only_with_a_clock_that_was_set() -> None:
    quiet = Pattern.model_validate({"yellow": {"unacknowledged": "on"}})
    night = Profile("night", Calendar("night", (Window(),)), {Priority.P3: quiet})
    data = replace(shipped(), profiles=(night,))
    assert wanted_levels(OUTPUTS, [alarm(UNACK, Priority.P3)], data)["yellow"] == "on"
    before = NOW._replace(utc=NOW.utc - timedelta(days=20_000))
    assert wanted_levels(OUTPUTS, [alarm(UNACK, Priority.P3)], data, before)["yellow"] == "flash"


def test_an_alarm_of_the_gateway_itself_may_show_blue_besides() -> None:
    blue = Pattern.model_validate({"blue": {"unacknowledged": "slow-flash"}})
    outputs = {**OUTPUTS, "blue": OutputKind.BLUE}
    data = replace(shipped(), fault=blue, faults=frozenset({"a"}))
    assert wanted_levels(outputs, [alarm(UNACK, Priority.P4)], data) | {} == {
        "siren": "off", "red": "off", "yellow": "on", "blue": "slow-flash",
    }  # fmt: skip
    assert wanted_levels(outputs, [alarm(UNACK, Priority.P4)])["blue"] == "off"


@pytest.mark.parametrize(
    ("priority", "outputs", "noticed"),
    [
        (Priority.P1, ["siren"], True),
        (Priority.P1, ["yellow"], False),
        (Priority.P3, ["siren"], False),
        (Priority.P3, ["desk"], True),
        (Priority.P4, ["yellow", "red"], True),
    ],
)
def test_who_would_notice(priority: Priority, outputs: list[str], noticed: bool) -> None:
    assert chiming().attracts(priority, outputs, {**OUTPUTS, **SIRENS}) is noticed
