"""What people do and bear beside each single alarm: policy, floods, figures. Fed by the pipeline; no I/O, no await."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.core.model import Action, AlarmDefinition, Change, EventDraft, Instant, Lane, Priority
from agent.flood import AREA, SUMMARY, WITHIN_S, FloodChange, FloodMonitor
from agent.kpi import Kpi, Note, says_false
from agent.policy import Policy

_MOST_HELD = 10_000
_ACTIONS = frozenset(map(str, Action))


class Operations:
    """Counts transitions; the journal's come after the live ones, so live ones wait for them when asked to."""

    def __init__(self, policy: Policy, now: Instant) -> None:
        self.policy = policy
        self.flood = FloodMonitor()
        self.kpi = Kpi(now.mono_s)
        self._held: list[Note] | None = None

    def note(self, changes: Sequence[Change], definitions: Mapping[str, AlarmDefinition], now: Instant) -> None:
        """Count what happened."""
        for change in changes:
            transition = change.transition
            if transition is None or transition.alarm == SUMMARY:
                continue
            calls = change.alarm.calls
            is_false = transition.operator is not None and says_false(transition.operator.note)
            self._take(Note(now.mono_s, transition.action, transition.alarm, transition.priority, calls, is_false))
            if transition.action is Action.RAISED and calls:
                self.flood.raised(definitions[transition.alarm].zone, transition.priority, now.mono_s)

    def look(self, now: Instant) -> list[EventDraft]:
        """Let time pass; return the events of floods that begin or end."""
        events = [_flood_event(change, now) for change in self.flood.look(now)]
        self.kpi.passes(now.mono_s, bool(self.flood.zones))
        return events

    def hold(self) -> None:
        """Keep live transitions back until ``refill`` is over."""
        self._held = []

    def refill(self, events: Iterable[Mapping[str, Any]], now: Instant) -> None:
        """Count what the journal holds of the time before this process, oldest first."""
        for event in events:
            moment_s = now.mono_s - max((now.utc - datetime.fromisoformat(str(event["time"]))).total_seconds(), 0.0)
            data = event["data"]
            if event["type"] == "anshao.alarm.transition.v1":
                self._refill_transition(data, str(event["zone"]), moment_s, now)
            elif event["type"] == "anshao.flood.v1":
                self._refill_flood(data, moment_s)

    def release(self) -> None:
        """Count the live transitions that were kept back."""
        held, self._held = self._held or [], None
        for note in held:
            self.kpi.note(note)

    def _take(self, note: Note) -> None:
        if self._held is None:
            self.kpi.note(note)
        elif len(self._held) < _MOST_HELD:
            self._held.append(note)

    def _refill_transition(self, data: Mapping[str, Any], zone: str, moment_s: float, now: Instant) -> None:
        alarm, priority = str(data["alarm_id"]), Priority(data["priority"])
        if alarm == SUMMARY or data["action"] not in _ACTIONS:  # of another version
            return
        calls = data["to_state"] == "unacknowledged"
        is_false = says_false(str((data.get("operator") or {}).get("note", "")))
        self.kpi.note(Note(moment_s, Action(str(data["action"])), alarm, priority, calls, is_false))
        if data["action"] == Action.RAISED and calls and now.mono_s - moment_s < WITHIN_S:
            self.flood.raised(zone, priority, moment_s)

    def _refill_flood(self, data: Mapping[str, Any], moment_s: float) -> None:
        """A flood of a zone is one of the area too."""
        if data["action"] == "ends" and data["zone"] == AREA:
            self.kpi.flooded(moment_s - float(data["duration_s"]), moment_s)


def _flood_event(change: FloodChange, now: Instant) -> EventDraft:
    flood = change.flood
    data: dict[str, object] = {
        "action": "begins" if change.begins else "ends",
        "zone": flood.zone,
        "raised": flood.raised,
        "by_priority": {priority.name: flood.priorities[priority.name] for priority in Priority},
        "since": flood.since.utc.isoformat(),
        "duration_s": round(now.mono_s - flood.since.mono_s, 1),
    }
    return EventDraft("flood", Lane.ALARM, SUMMARY, data, now, flood.zone)
