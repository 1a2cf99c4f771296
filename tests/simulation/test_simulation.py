"""Thousands of seeded stories: never a siren that should sound and does not, never a clear from missing data."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from agent.core.model import Alarm, Timer, TimerKind
from rules import deadlines, machine
from rules.condition import Verdict
from rules.kinds import level
from rules.kinds.level import LevelCondition
from tests.simulation.story import tell
from tests.thorough import times

SEEDS = int(os.environ.get("SEEDS", times(5000)))


@pytest.mark.slow
def test_no_siren_is_silent_and_nothing_clears_for_want_of_data() -> None:
    checks = sum(tell(seed) for seed in range(SEEDS))
    assert checks > SEEDS * 100, "the stories are too short to mean anything"


def _clears_on_unknown(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(level, "UNKNOWN", Verdict(False, None, True))


def _forgets_on_a_crash(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deadlines, "restored", lambda alarm, _same_boot, _now: Alarm(alarm.id))


def _keeps_a_shelf_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deadlines, "pass_time", lambda alarm, _timing, _now: (alarm, None))


def _overlooks_a_timer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_running", lambda alarm, rising, _timing, _now: Timer(TimerKind.ON, 1.0, None))


def _sleeps_between_limits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LevelCondition, "band", lambda _self, _exceeded: (-1e9, 1e9))


FAULTS = (
    _clears_on_unknown,
    _forgets_on_a_crash,
    _keeps_a_shelf_for_ever,
    _overlooks_a_timer,
    _sleeps_between_limits,
)


@pytest.mark.parametrize("plant_fault", FAULTS)
def test_the_oracle_sees_a_fault(plant_fault: Callable[[pytest.MonkeyPatch], None]) -> None:
    """A test that cannot fail is a defect: plant a fault, and see it found."""
    with pytest.MonkeyPatch.context() as patch:
        plant_fault(patch)
        with pytest.raises(AssertionError, match="seed"):
            for seed in range(500):
                tell(seed)
