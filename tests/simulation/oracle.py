"""What must hold, said without the alarm state machine: from the values, the time, and what people did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agent.core.model import Alarm, AlarmState, Level
from tests.simulation.plant import SHELF_S, STALE_S, Plant

Values = dict[str, float | bool | None]


@dataclass(frozen=True)
class Watched:
    """One alarm: when its values mean danger, when they mean safety, and for how long danger must last."""

    alarm: str
    danger: Callable[[Values], bool]
    safe: Callable[[Values], bool]
    on_delay_s: float
    sounds: bool
    latch: bool = False
    outer: str = ""


def _at(point: str, limit: float) -> Callable[[Values], bool]:
    def beyond(values: Values) -> bool:
        value = values[point]
        return value is not None and value >= limit

    return beyond


def _under(point: str, limit: float) -> Callable[[Values], bool]:
    def below(values: Values) -> bool:
        value = values[point]
        return value is not None and value < limit

    return below


def _manned(values: Values) -> bool:
    return values["running"] is True and (values["persons"] or 0) > 0


def _unmanned(values: Values) -> bool:
    return values["running"] is False or (values["persons"] is not None and values["persons"] <= 0)


WATCHED = (
    Watched("gas.HH", _at("gas", 40), _under("gas", 40), 0.0, True),
    Watched("gas.H", _at("gas", 20), _under("gas", 20), 2.0, True, outer="gas.HH"),
    Watched("pressure.HH", _at("pressure", 12), _under("pressure", 12), 1.0, True, latch=True),
    Watched("guard", _manned, _unmanned, 1.0, True),
)


class Oracle:
    """Looks at the plant after every step."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._danger_since_s: dict[str, float] = {}
        self._before: dict[str, Alarm] = dict(plant.engine.alarms)
        self._seen_s: dict[str, float] = {}
        self._shelved_since_s: dict[str, float] = {}
        self.checks = 0

    def restarted(self, saved: Iterable[Alarm]) -> None:
        """The process died: what was seen before counts for nothing, what was ``saved`` counts."""
        self._danger_since_s.clear()
        self._seen_s.clear()
        self._shelved_since_s.clear()
        self._before = dict(self._plant.engine.alarms)
        for alarm in saved:
            now = self._before[alarm.id]
            kept = (now.active, now.process, now.occurrence) == (alarm.active, alarm.process, alarm.occurrence)
            assert kept, f"{alarm.id} did not survive the restart"

    def seen(self, point: str) -> None:
        """A sample of the point came."""
        self._seen_s[point] = self._plant.clock.now().mono_s

    def look(self) -> None:
        """Check everything that must hold now."""
        now_s, known, alarms = self._plant.clock.now().mono_s, self._known(), self._plant.engine.alarms
        for watched in WATCHED:
            alarm = alarms[watched.alarm]
            self._must_be_active(watched, alarms, known, now_s)
            self._must_not_have_cleared(watched, alarm, known)
            self._must_sound(watched, alarm)
            self._must_not_stay_shelved(alarm, now_s)
            self.checks += 1
        self._before = dict(alarms)

    def _known(self) -> Values:
        now_s = self._plant.clock.now().mono_s
        return {
            point: value if now_s - self._seen_s.get(point, -1e9) <= STALE_S else None
            for point, value in self._plant.values.items()
        }

    def _must_be_active(self, watched: Watched, alarms: Mapping[str, Alarm], known: Values, now_s: float) -> None:
        if not watched.danger(known):
            self._danger_since_s.pop(watched.alarm, None)
            return
        since_s = self._danger_since_s.setdefault(watched.alarm, now_s)
        stands_for_it = watched.outer and alarms[watched.outer].calls
        if now_s - since_s >= watched.on_delay_s and not stands_for_it:
            assert alarms[watched.alarm].active, f"{watched.alarm}: danger since {now_s - since_s:.2f} s, and no alarm"

    def _must_not_have_cleared(self, watched: Watched, alarm: Alarm, known: Values) -> None:
        before = self._before[watched.alarm]
        if before.active and not alarm.active and not alarm.superseded:
            assert watched.safe(known), f"{watched.alarm} cleared while its values are {known}"
            reset = alarm.acknowledged_at is not None and alarm.process is AlarmState.NORMAL
            assert not watched.latch or reset, f"{watched.alarm} is latched and cleared by itself"

    def _must_not_stay_shelved(self, alarm: Alarm, now_s: float) -> None:
        if alarm.shelved is None:
            return
        act = f"{alarm.id} {alarm.shelved.since}"  # somebody may put it away again
        since_s = self._shelved_since_s.setdefault(act, now_s)
        assert now_s - since_s <= SHELF_S, f"{alarm.id} is still shelved after {now_s - since_s:.1f} s"

    def _must_sound(self, watched: Watched, alarm: Alarm) -> None:
        if watched.sounds and alarm.calls and alarm.process is AlarmState.UNACKNOWLEDGED and not alarm.silenced:
            heard = [name for name in ("siren", "horn") if self._plant.wanted(name) is not Level.OFF]
            failed = self._plant.failed
            assert set(heard) - failed, f"{watched.alarm} calls, and nothing sounds ({failed} failed)"
