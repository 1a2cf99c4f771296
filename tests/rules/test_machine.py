"""The alarm state machine against its invariants, in any order of events."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.core.clock import ManualClock
from agent.core.model import Alarm, AlarmState, Operator
from rules.condition import UNKNOWN, Verdict
from rules.deadlines import restored
from rules.machine import Timing, acknowledge, off_delay_s, silence, step
from tests.thorough import times

SOMEBODY = Operator("li", "hmi")
TRUE, FALSE = Verdict(True, 50.0, False), Verdict(False, 1.0, False)


class AlarmLife(RuleBasedStateMachine):
    """Feeds one alarm; keeps its own books of what was known, and for how long."""

    @initialize(on=st.sampled_from([0.0, 2.0]), off=st.sampled_from([0.0, 5.0]), latch=st.booleans())
    def begin(self, on: float, off: float, latch: bool) -> None:
        self.timing = Timing(on, off, latch)
        self.clock = ManualClock()
        self.alarm = Alarm("a")
        self.known_true_s = self.known_false_s = self.true_on_this_boot_s = 0.0
        self.verdict = UNKNOWN

    def feed(self, verdict: Verdict) -> str | None:
        before = self.alarm
        self.alarm, action = step(before, verdict, self.timing, self.clock.now())
        if verdict.exceeded is None:
            assert action is None and self.alarm.active == before.active and self.alarm.state == before.state
        if action == "raised":
            assert verdict.exceeded and self.known_true_s >= self.timing.on_delay_s - 1e-9
        if action in ("returned", "cleared"):
            assert verdict.exceeded is False and self.known_false_s >= self.timing.off_delay_s - 1e-9
            assert self.known_false_s >= off_delay_s(before, self.timing) - 1e-9
            assert not self.timing.latch
        return action

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 2.0, 5.0, 60.0]), verdict=st.sampled_from([TRUE, FALSE, UNKNOWN]))
    def pass_time(self, seconds: float, verdict: Verdict) -> None:
        """The verdict changes at once, then time passes with it."""
        if verdict.exceeded is not None and verdict.exceeded is not self.last_known():
            self.known_true_s = self.known_false_s = self.true_on_this_boot_s = 0.0
        self.verdict = verdict
        self.feed(verdict)
        self.clock.advance(seconds)
        self.known_true_s += seconds if verdict is TRUE else 0.0
        self.true_on_this_boot_s += seconds if verdict is TRUE else 0.0
        self.known_false_s += seconds if verdict is FALSE else 0.0
        self.feed(verdict)
        if verdict is TRUE and self.true_on_this_boot_s >= self.timing.on_delay_s:
            assert self.alarm.active, "a condition that held for its delay must be an alarm"

    def last_known(self) -> bool | None:
        return True if self.known_true_s else False if self.known_false_s else None

    @rule()
    def step_the_wall_clock(self) -> None:
        self.clock.step_utc(86400 * 365)
        before = self.alarm
        self.feed(self.verdict)
        assert (self.alarm.state, self.alarm.timer) == (before.state, before.timer) or self.verdict is not UNKNOWN

    @rule()
    def acknowledge(self) -> None:
        before = self.alarm
        self.alarm, action = acknowledge(before, SOMEBODY, self.timing, self.clock.now())
        if action == "reset":
            assert self.timing.latch and before.exceeded is False
        else:
            assert self.alarm.active == before.active, "acknowledging is not clearing"

    @rule()
    def silence(self) -> None:
        before = self.alarm
        self.alarm, _ = silence(before)
        assert replace(self.alarm, silenced=before.silenced) == before

    @rule(same_boot=st.booleans())
    def restart(self, same_boot: bool) -> None:
        before = self.alarm
        self.alarm = restored(before, same_boot, self.clock.now())
        assert (self.alarm.state, self.alarm.active) == (before.state, before.active)
        self.known_false_s = 0.0
        if not same_boot:
            self.true_on_this_boot_s = 0.0

    @invariant()
    def state_and_activity_agree(self) -> None:
        if not hasattr(self, "alarm"):
            return
        active_states = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
        assert self.alarm.active == (self.alarm.state in active_states)


AlarmLife.TestCase.settings = settings(max_examples=times(500), stateful_step_count=50, deadline=None)
TestAlarmLife = AlarmLife.TestCase


def test_a_restart_on_the_same_boot_counts_the_downtime_of_an_on_delay() -> None:
    clock, timing = ManualClock(), Timing(on_delay_s=10.0)
    alarm, _ = step(Alarm("a"), TRUE, timing, clock.now())
    alarm, action = step(restored(alarm, same_boot=True, now=clock.now()), TRUE, timing, clock.advance(12.0))
    assert action == "raised" and alarm.state is AlarmState.UNACKNOWLEDGED


def test_a_restart_on_another_boot_goes_on_with_what_was_left() -> None:
    clock, timing = ManualClock(), Timing(on_delay_s=10.0)
    alarm, _ = step(Alarm("a"), TRUE, timing, clock.now())
    alarm, action = step(restored(alarm, same_boot=False, now=clock.now()), TRUE, timing, ManualClock(mono_s=3.0).now())
    assert action is None and alarm.timer is not None and alarm.timer.due_s == 13.0


def test_a_new_occurrence_has_a_new_identity_and_sounds_again() -> None:
    clock, timing = ManualClock(), Timing()
    first, _ = step(Alarm("a"), TRUE, timing, clock.now())
    quiet, _ = silence(first)
    gone, _ = step(quiet, FALSE, timing, clock.advance(1))
    again, action = step(gone, TRUE, timing, clock.advance(1))
    assert action == "raised" and again.count == 2 and not again.silenced and again.occurrence != first.occurrence
