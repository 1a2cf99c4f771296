from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.annunciator import Annunciator, OutputKind, wanted_levels
from agent.core.clock import ManualClock
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Level, Priority

OUTPUTS = {"siren": OutputKind.SIREN, "red": OutputKind.RED, "yellow": OutputKind.YELLOW}
NORMAL, UNACK, ACKED, RETURNED = (
    AlarmState.NORMAL,
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.RETURNED,
)


def alarm(
    state: AlarmState, priority: Priority = Priority.P1, silenced: bool = False, outputs: tuple[str, ...] | None = None
) -> tuple[AlarmDefinition, Alarm]:
    definition = AlarmDefinition("a", "level", priority, {"en": "A"}, (), "", outputs=outputs)
    return definition, Alarm("a", state, active=state in (UNACK, ACKED), silenced=silenced)


@pytest.mark.parametrize(
    ("state", "priority", "silenced", "expected"),
    [
        (NORMAL, Priority.P1, False, ("off", "off", "off")),
        (UNACK, Priority.P1, False, ("on", "flash", "off")),
        (UNACK, Priority.P1, True, ("off", "flash", "off")),
        (ACKED, Priority.P1, False, ("off", "on", "off")),
        (RETURNED, Priority.P1, False, ("off", "flash", "off")),
        (UNACK, Priority.P2, False, ("on", "flash", "off")),
        (UNACK, Priority.P3, False, ("off", "off", "flash")),
        (ACKED, Priority.P3, False, ("off", "off", "on")),
        (UNACK, Priority.P4, False, ("off", "off", "on")),
    ],
)
def test_pattern(state: AlarmState, priority: Priority, silenced: bool, expected: tuple[str, ...]) -> None:
    assert tuple(wanted_levels(OUTPUTS, [alarm(state, priority, silenced)]).values()) == expected


@given(st.lists(st.tuples(st.sampled_from([NORMAL, UNACK, ACKED, RETURNED]), st.sampled_from(Priority), st.booleans())))
def test_an_alarm_more_never_weakens_an_output(alarms: list[tuple[AlarmState, Priority, bool]]) -> None:
    strength = {Level.OFF: 0, Level.ON: 1, Level.FLASH: 2}
    made = [alarm(*each) for each in alarms]
    steps = [wanted_levels(OUTPUTS, made[:count]) for count in range(len(made) + 1)]
    for fewer, more in itertools.pairwise(steps):
        assert all(strength[more[name]] >= strength[fewer[name]] for name in OUTPUTS)


@given(st.permutations([alarm(UNACK, Priority.P3), alarm(ACKED, Priority.P1), alarm(RETURNED, Priority.P2)]))
def test_the_order_of_alarms_does_not_matter(alarms: list[tuple[AlarmDefinition, Alarm]]) -> None:
    assert wanted_levels(OUTPUTS, alarms) == {"siren": "off", "red": "flash", "yellow": "flash"}


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
    assert annunciator.wanted["horn"] == "on"
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
    assert annunciator.wanted["c"] == "on"
