"""Alarms come and go, outputs fail, time passes: what must hold whatever happens."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.annunciation import Annunciator, OutputKind, shipped
from agent.annunciation.patterns import Pattern, Profile
from agent.annunciation.wanted import is_sounding
from agent.core.calendars import Calendar, Window
from agent.core.clock import ManualClock
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Escalation, Level, Priority, Removal
from tests.thorough import times

KINDS = {
    "hall": OutputKind.SIREN,
    "yard": OutputKind.SIREN,
    "horn": OutputKind.SIREN,
    "desk": OutputKind.BUZZER,
    "red": OutputKind.RED,
    "spare": OutputKind.RED,
    "yellow": OutputKind.YELLOW,
    "green": OutputKind.GREEN,
}
BACKUPS = {"hall": "horn", "red": "spare"}
AREAS = {"yard": "outside"}
DEFINITIONS = {
    f"a{index}": AlarmDefinition(
        f"a{index}",
        "level",
        priority,
        {"en": "A"},
        (),
        "",
        outputs=outputs,
        escalation=(Escalation(60, "x", ("yard",)),),
    )
    for index, (priority, outputs) in enumerate(
        (priority, outputs)
        for priority in Priority
        for outputs in (None, ("hall", "red", "yellow"), ("yard", "yellow"))
    )
}
QUIET = {
    Priority.P2: Pattern.model_validate({"siren": {"unacknowledged": "on"}}).over(shipped().patterns[Priority.P2]),
    Priority.P3: Pattern.model_validate({"yellow": {"unacknowledged": "on"}}),
}
NIGHT = Profile("night", Calendar("night", (Window.model_validate({"from": "22:00", "to": "06:00"}),)), QUIET)
ids = st.sampled_from(sorted(DEFINITIONS))
AWAY = Removal("work", "li", "cli", ManualClock().now().utc)


class Annunciation(RuleBasedStateMachine):
    @initialize(timed=st.booleans())
    def begin(self, timed: bool) -> None:
        self.clock = ManualClock()
        patterns = dict(shipped().patterns)
        if timed:
            times = {"longest_sound": 180.0, "repeat_after": 300.0}
            patterns |= {p: patterns[p].model_copy(update=times) for p in (Priority.P1, Priority.P2)}
        self.data = replace(
            shipped(), patterns=patterns, profiles=(NIGHT,), areas=AREAS, chimes=frozenset({"desk", "yard"})
        )
        self.told = 0
        self.annunciator = Annunciator(KINDS, BACKUPS, self.tell, self.data)
        self.alarms: dict[str, Alarm] = {}
        self.failed: set[str] = set()
        self.refresh()

    def tell(self) -> None:
        self.told += 1

    def refresh(self) -> None:
        self.annunciator.unconfirmed(self.failed)
        self.annunciator.refresh(self.live(), self.clock.now())

    def live(self) -> list[tuple[AlarmDefinition, Alarm]]:
        return [(DEFINITIONS[id_], each) for id_, each in self.alarms.items()]

    @rule(id_=ids, escalated=st.integers(0, 1))
    def raised(self, id_: str, escalated: int) -> None:
        self.alarms[id_] = Alarm(
            id_, AlarmState.UNACKNOWLEDGED, active=True, called=self.clock.now(), escalated=escalated
        )
        self.refresh()

    @rule(id_=ids)
    def acknowledged(self, id_: str) -> None:
        if id_ in self.alarms:
            self.alarms[id_] = replace(self.alarms[id_], process=AlarmState.ACKNOWLEDGED)
            self.refresh()

    @rule(id_=ids)
    def returned(self, id_: str) -> None:
        if id_ in self.alarms:
            self.alarms[id_] = replace(self.alarms[id_], process=AlarmState.RETURNED, active=False)
            self.refresh()

    @rule(id_=ids)
    def gone(self, id_: str) -> None:
        self.alarms.pop(id_, None)
        self.refresh()

    @rule(id_=ids)
    def silenced(self, id_: str) -> None:
        if id_ in self.alarms:
            self.alarms[id_] = replace(self.alarms[id_], silenced=True)
            self.refresh()

    @rule(id_=ids, kind=st.sampled_from(["shelved", "suppressed", "out_of_service"]), back=st.booleans())
    def removed(self, id_: str, kind: str, back: bool) -> None:
        if id_ in self.alarms:
            self.alarms[id_] = replace(self.alarms[id_], **{kind: None if back else AWAY})  # type: ignore[arg-type]
            self.refresh()

    @rule(name=st.sampled_from(sorted(KINDS)), fails=st.booleans())
    def followed(self, name: str, fails: bool) -> None:
        (self.failed.add if fails else self.failed.discard)(name)
        self.refresh()

    @rule(seconds=st.sampled_from([0.5, 2.0, 57.0, 180.0, 3600.0, 8 * 3600.0]))
    def passed(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.refresh()

    @rule(names=st.sets(st.sampled_from(sorted(KINDS)), min_size=1))
    def tested(self, names: set[str]) -> None:
        self.annunciator.test(names, self.clock.now().mono_s + 3)
        self.refresh()

    @invariant()
    def a_loud_alarm_that_calls_is_heard(self) -> None:
        now, wanted = self.clock.now(), self.annunciator.wanted
        for definition, alarm in self.live():
            loud, _ = is_sounding(self.data.at(now)[definition.priority], alarm, now.mono_s)
            calls = alarm.calls and alarm.process is AlarmState.UNACKNOWLEDGED and not alarm.silenced and loud
            if calls and definition.priority <= Priority.P2:
                sirens = [
                    n for n, k in KINDS.items() if k.sounds and (definition.outputs is None or n in definition.outputs)
                ]
                sirens += [BACKUPS[name] for name in sirens if name in BACKUPS and name in self.failed]
                heard = [n for n in sirens if wanted[n] in (Level.ON, Level.MODULATED, Level.INTERMITTENT)]
                working = [n for n in sirens if n not in self.failed]
                assert heard and (not working or set(heard) & set(working))

    @invariant()
    def there_are_never_two_sounds_in_an_area(self) -> None:
        for area in ("", "outside"):
            heard = {
                level
                for name, level in self.annunciator.wanted.items()
                if KINDS[name].sounds and AREAS.get(name, "") == area and level is not Level.OFF
            }
            assert len(heard) <= 1

    @invariant()
    def nothing_flickers(self) -> None:
        before, told = dict(self.annunciator.wanted), self.told
        due_s = self.annunciator.next_due_s()
        later = self.clock.now()
        if due_s is None or due_s > later.mono_s + 0.2:
            later = later._replace(mono_s=later.mono_s + 0.1)
        for _ in range(3):
            assert self.annunciator.refresh(self.live(), later) == []
        if due_s is not None and due_s > later.mono_s + 0.2:
            later = later._replace(mono_s=due_s - 0.01)
            assert self.annunciator.refresh(self.live(), later) == [], "it changed before it was due"
            self.annunciator.refresh(self.live(), self.clock.now())
        assert self.annunciator.wanted == before and self.told == told

    @invariant()
    def no_profile_touches_the_first_priority(self) -> None:
        assert self.data.at(self.clock.now())[Priority.P1] == self.data.patterns[Priority.P1]

    @invariant()
    def what_nobody_answered_stays_lit(self) -> None:
        for definition, alarm in self.live():
            if alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED) and definition.priority <= Priority.P2:
                named = definition.outputs is None or "red" in definition.outputs
                assert not named or self.annunciator.wanted["red"] in (Level.FLASH, Level.SLOW_FLASH)
        assert (self.annunciator.wanted["green"] == "on") <= (not self.alarms or "green" in self.annunciator.testing(
            self.clock.now().mono_s
        ))  # fmt: skip


TestAnnunciation = Annunciation.TestCase
TestAnnunciation.settings = settings(max_examples=times(500), stateful_step_count=50, deadline=None)
