"""One alarm with all that people and time can do to it, beside a twin to whom nobody does anything."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.clock import ManualClock
from agent.core.errors import NotAllowed
from agent.core.model import Action, Alarm, AlarmDefinition, AlarmState, Escalation, Operator, Priority
from rules import deadlines, machine, removal
from rules.condition import UNKNOWN, Verdict
from rules.machine import CHATTER_COUNT, LONGEST_STRETCH_S, Timing
from tests.thorough import times

LI, WANG = Operator("li", "hmi", "the sensor is being changed"), Operator("wang", "hmi")
CENTRE = Operator("centre", "mqtt", "order 17")
VERDICTS = (Verdict(True, 50.0, False), Verdict(False, 1.0, False), UNKNOWN)
STEPS = (Escalation(30.0, "chief"), Escalation(90.0, "manager"))
REMOVED = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)


class AlarmLife(RuleBasedStateMachine):
    """``alarm`` lives with people; ``twin`` sees the same values. Whether they are active must not differ."""

    @initialize(
        priority=st.sampled_from(Priority),
        on=st.sampled_from([0.0, 2.0]),
        off=st.sampled_from([0.0, 5.0]),
        re_alarm=st.sampled_from([None, 40.0]),
        steps=st.sampled_from([(), STEPS]),
    )
    def begin(
        self, priority: Priority, on: float, off: float, re_alarm: float | None, steps: tuple[Escalation, ...]
    ) -> None:
        self.timing = Timing(on, off, False, re_alarm, steps)
        longest_s = removal.LONGEST_SHELF_S[priority]
        self.definition = AlarmDefinition("a", "level", priority, {"en": "A"}, (), "", longest_shelf_s=longest_s)
        self.clock, self.verdict = ManualClock(), VERDICTS[1]
        self.alarm = self.twin = Alarm("a")
        self.actions: list[Action] = []

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 5.0, 31.0, 400.0, 2000.0]), verdict=st.sampled_from(VERDICTS))
    def pass_time(self, seconds: float, verdict: Verdict) -> None:
        """A verdict comes; then every deadline that lies within ``seconds`` passes at its moment."""
        self.verdict = verdict
        self.see()
        end_s = self.clock.now().mono_s + seconds
        while (due_s := self.next_s()) is not None and due_s <= end_s:
            self.clock.advance(max(due_s - self.clock.now().mono_s, 0.0))
            self.see()
        self.clock.advance(end_s - self.clock.now().mono_s)
        self.see()

    def next_s(self) -> float | None:
        return min(
            (due for each in (self.alarm, self.twin) if (due := deadlines.due_s(each)) is not None), default=None
        )

    def see(self) -> None:
        self.alarm = self.look(self.alarm, self.actions)
        self.twin = self.look(self.twin, [])

    def look(self, alarm: Alarm, actions: list[Action]) -> Alarm:
        now = self.clock.now()
        while True:
            alarm, action = deadlines.pass_time(alarm, self.timing, now)
            if action is None:
                break
            actions.append(action)
        alarm, action = machine.step(alarm, self.verdict, self.timing, now)
        actions += [action] if action else []
        return alarm

    @rule(seconds=st.sampled_from([1.0, 1800.0, 28800.0, 28801.0]), operator=st.sampled_from([LI, WANG]))
    def shelve(self, seconds: float, operator: Operator) -> None:
        allowed = bool(operator.note) and 0 < seconds <= removal.LONGEST_SHELF_S[self.definition.priority]
        try:
            self.alarm, _ = removal.shelve(self.alarm, self.definition, seconds, operator, self.clock.now())
        except NotAllowed:
            assert not allowed
        else:
            assert allowed and self.definition.priority is not Priority.P1

    @rule()
    def unshelve(self) -> None:
        self.alarm, action = removal.unshelve(self.alarm, self.timing, self.clock.now())
        self.must_call_anew(action)

    @rule(second=st.sampled_from(["", "li", " LI ", "wang"]), operator=st.sampled_from([LI, WANG, CENTRE]))
    def take_out(self, second: str, operator: Operator) -> None:
        two = second == "wang" and operator is LI
        try:
            self.alarm, _ = removal.take_out(self.alarm, second, operator, self.clock.now())
        except NotAllowed:
            assert not two and operator is not CENTRE
        else:
            assert two or operator is CENTRE

    @rule()
    def bring_back(self) -> None:
        self.alarm, action = removal.bring_back(self.alarm, self.timing, self.clock.now())
        self.must_call_anew(action)

    @precondition(lambda self: self.alarm.suppressed is None)
    @rule(longest=st.sampled_from([None, 60.0]))
    def suppress(self, longest: float | None) -> None:
        self.alarm, _ = removal.suppress(self.alarm, "in repair", longest, self.clock.now())

    @precondition(lambda self: self.alarm.suppressed is not None)
    @rule()
    def unsuppress(self) -> None:
        self.alarm, action = removal.unsuppress(self.alarm, self.timing, self.clock.now())
        self.must_call_anew(action)

    @rule(operator=st.sampled_from([LI, CENTRE]))
    def acknowledge(self, operator: Operator) -> None:
        before = self.alarm
        self.alarm, _ = machine.acknowledge(before, operator, self.timing, self.clock.now())
        assert (self.alarm.active == before.active and self.alarm.escalate is None) or self.alarm is before

    @rule()
    def silence(self) -> None:
        self.alarm, _ = machine.silence(self.alarm)

    def must_call_anew(self, action: Action | None) -> None:
        if action is not None and self.alarm.active:
            assert self.alarm.process is AlarmState.UNACKNOWLEDGED and not self.alarm.silenced

    @invariant()
    def people_change_nothing_of_what_is_seen(self) -> None:
        if hasattr(self, "alarm"):
            assert self.alarm.active == self.twin.active and self.alarm.exceeded == self.twin.exceeded

    @invariant()
    def process_and_activity_agree(self) -> None:
        if hasattr(self, "alarm"):
            active_states = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
            assert self.alarm.active == (self.alarm.process in active_states)
            assert self.alarm.calls == (self.alarm.active and self.alarm.state not in REMOVED)

    @invariant()
    def what_is_put_away_comes_back_in_time(self) -> None:
        if hasattr(self, "alarm") and self.alarm.shelved is not None:
            assert self.alarm.shelved.until is not None
            left_s = self.alarm.shelved.until.mono_s - self.clock.now().mono_s
            assert left_s <= removal.LONGEST_SHELF_S[self.definition.priority]

    @invariant()
    def chatter_is_bounded(self) -> None:
        if hasattr(self, "alarm"):
            assert machine.off_delay_s(self.alarm, self.timing) <= max(LONGEST_STRETCH_S, self.timing.off_delay_s)
            assert self.alarm.escalated <= len(self.timing.escalation)


AlarmLife.TestCase.settings = settings(max_examples=times(500), stateful_step_count=50, deadline=None)
TestAlarmLife = AlarmLife.TestCase


def live(timing: Timing, *verdicts: tuple[float, Verdict]) -> tuple[Alarm, list[tuple[float, Action]]]:
    """Return the alarm and what happened when, in seconds since the start."""
    life, told = AlarmLife(), []
    life.clock, life.timing, life.verdict = ManualClock(), timing, VERDICTS[1]
    life.alarm = life.twin = Alarm("a")
    start_s = life.clock.now().mono_s
    for at_s, verdict in verdicts:
        life.actions = []
        while (due_s := deadlines.due_s(life.alarm)) is not None and due_s <= start_s + at_s:
            life.clock.advance(max(due_s - life.clock.now().mono_s, 0.0))
            life.see()
            told += [(life.clock.now().mono_s - start_s, action) for action in life.actions]
            life.actions = []
        life.clock.advance(start_s + at_s - life.clock.now().mono_s)
        life.verdict = verdict
        life.see()
        told += [(at_s, action) for action in life.actions]
    return life.alarm, told


HIGH, LOW = VERDICTS[0], VERDICTS[1]


def test_nobody_answers_and_the_next_posts_are_called_in_turn() -> None:
    alarm, told = live(Timing(escalation=STEPS), (0.0, HIGH), (200.0, HIGH))
    assert told == [(0.0, Action.RAISED), (30.0, Action.ESCALATED), (90.0, Action.ESCALATED)] and alarm.escalated == 2


def test_more_than_three_raises_a_minute_are_chatter_and_end_later_and_later() -> None:
    quick = [(float(second), HIGH if second % 2 == 0 else LOW) for second in range(0, 10)]
    alarm, told = live(Timing(), *quick, (60.0, LOW))
    raised = [at for at, action in told if action is Action.RAISED]
    assert raised == [0.0, 2.0, 4.0, 6.0] and alarm.chattering, "from the fourth on it stays active for longer"
    assert told[-1] == (11.0, Action.RETURNED), "twice the least off-delay of 1 s after the last value"
    steady, told = live(Timing(), *quick, (700.0, LOW))
    assert told[-1][1] is Action.STEADY and not steady.chattering and len(steady.activations) <= CHATTER_COUNT


def test_chatter_may_be_told_without_a_longer_off_delay() -> None:
    quick = [(float(second), HIGH if second % 2 == 0 else LOW) for second in range(0, 20)]
    alarm, told = live(Timing(stretches=False), *quick)
    assert alarm.chattering and sum(action is Action.RAISED for _, action in told) == 10


def test_a_wall_clock_that_was_set_back_ends_a_shelf_early_on_another_boot() -> None:
    clock = ManualClock()
    definition = AlarmDefinition("a", "level", Priority.P3, {"en": "A"}, (), "", longest_shelf_s=28800.0)
    shelved, _ = removal.shelve(Alarm("a"), definition, 3600.0, LI, clock.now())
    clock.step_utc(-86400)
    back = deadlines.restored(shelved, False, clock.now())
    assert back.shelved is not None and back.shelved.until is not None
    assert back.shelved.until.mono_s == clock.now().mono_s


def test_a_limit_that_comes_back_after_the_more_severe_one_is_no_chatter() -> None:
    clock, alarm = ManualClock(), Alarm("a.H")
    for _ in range(6):
        alarm, action = machine.step(alarm, HIGH, Timing(), clock.advance(2.0))
        assert action is Action.RAISED
        alarm, action = machine.supersede(alarm, clock.advance(2.0))
        assert action is Action.SUPERSEDED
    assert not alarm.chattering and len(alarm.activations) == 1
