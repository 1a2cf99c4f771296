"""What becomes an event: alarm transitions, outputs, devices and the gateway itself, in the words of docs/events.md."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from typing_extensions import TypedDict

from agent.core.hazard import Handling
from agent.core.model import (
    Alarm,
    AlarmDefinition,
    Delays,
    EventDraft,
    Instant,
    Lane,
    Level,
    Operator,
    Removal,
    Sample,
    Transition,
)


class RemovalRow(TypedDict):
    """Why an alarm calls nobody; ``until`` is null when it does not end by itself."""

    reason: str
    by: str
    via: str
    second: str
    since: str
    until: str | None


class EscalationRow(TypedDict):
    """``step`` of ``of`` is reached: ``post`` is called now, ``next_post`` at ``next_at``."""

    step: int
    of: int
    post: str
    next_post: str
    next_at: str | None


class HazardRow(TypedDict):
    """What the centre told last of a hazard; ``recurs``: the alarm was raised again since ``occurrence_id``."""

    hazard: str
    status: Handling
    level: str
    measures: str
    responsible: str
    deadline: str | None
    supervised: bool
    reason: str
    occurrence_id: str
    recurs: bool
    by: str
    via: str
    at: str


def alarm_event(
    transition: Transition,
    alarm: Alarm,
    definition: AlarmDefinition,
    inputs: Mapping[str, Sample | None],
    delays: Delays,
    crew: str = "",
) -> EventDraft:
    """Return the event of one alarm transition, with the inputs as they were; ``crew`` is the one on duty."""
    data: dict[str, object] = {
        "alarm_id": transition.alarm,
        "occurrence_id": transition.occurrence,
        "action": transition.action,
        "from_state": transition.before,
        "to_state": transition.after,
        "active": alarm.active,
        "priority": int(transition.priority),
        "condition": definition.condition,
        "kind": definition.kind,
        "name": dict(definition.name),
        "consequence": dict(definition.consequence),
        "response": dict(definition.response),
        "post": definition.post,
        "value": transition.value,
        "unit": definition.unit,
        "limit": definition.limit,
        "delays": {"on_s": delays.on_s, "off_s": delays.off_s, "stretched": delays.stretched},
        "rule": definition.rule,
        "labels": dict(definition.labels),
        "crew": definition.labels.get("crew") or crew,
        "parents": list(definition.parents),
        "group": definition.group,
        "first_out": alarm.first_out,
        "latched": definition.latch and alarm.active,
        "chattering": alarm.chattering,
        "escalation": escalation_row(alarm, definition),
        **{name: removal_row(found) if found else None for name, found in _removals(alarm)},
        "hazard": hazard_row(alarm),
        "silenced": alarm.silenced,
        "count": alarm.count,
        "evaluation": "degraded" if alarm.degraded else "ok",
        "raised_at": _text(alarm.raised_at),
        "inputs": [_input(point, sample) for point, sample in inputs.items()],
        "operator": _operator(transition.operator),
    }
    return EventDraft("alarm.transition", Lane.ALARM, transition.alarm, data, transition.at, definition.zone)


def removal_row(found: Removal) -> RemovalRow:
    """Return in words of JSON why an alarm calls nobody."""
    return {
        "reason": found.reason,
        "by": found.by,
        "via": found.via,
        "second": found.second,
        "since": found.since.isoformat(),
        "until": _text(found.until.utc) if found.until is not None else None,
    }


def hazard_row(alarm: Alarm) -> HazardRow | None:
    """Return what the centre told of the alarm's hazard, None when it never did."""
    found = alarm.hazard
    if found is None:
        return None
    return {
        "hazard": found.id,
        "status": found.status,
        "level": found.level,
        "measures": found.measures,
        "responsible": found.responsible,
        "deadline": found.deadline.isoformat() if found.deadline is not None else None,
        "supervised": found.supervised,
        "reason": found.reason,
        "occurrence_id": found.occurrence,
        "recurs": found.recurs(alarm.occurrence),
        "by": found.by,
        "via": found.via,
        "at": found.at.isoformat(),
    }


def escalation_row(alarm: Alarm, definition: AlarmDefinition) -> EscalationRow | None:
    """Return the step that was reached, of how many, and the post that is called now; None without steps."""
    steps = definition.escalation
    if not steps:
        return None
    step = min(alarm.escalated, len(steps))
    return {
        "step": step,
        "of": len(steps),
        "post": steps[step - 1].post if step else definition.post,
        "next_post": steps[step].post if alarm.escalate is not None and step < len(steps) else "",
        "next_at": _text(alarm.escalate.utc) if alarm.escalate is not None else None,
    }


def output_event(output: str, level: Level, now: Instant, *, test: bool) -> EventDraft:
    """Return the event of a wanted level that changed."""
    return EventDraft("output.state", Lane.STATE, output, {"output_id": output, "wanted": level}, now, test=test)


def device_event(device: str, online: bool, reason: str, now: Instant) -> EventDraft:
    """Return the event of a device that was lost or came back."""
    data = {"device_id": device, "online": online, "reason": reason}
    return EventDraft("device.state", Lane.STATE, device, data, now)


def gateway_event(action: str, details: Mapping[str, object], now: Instant) -> EventDraft:
    """Return an event of the gateway's own life: ``started``, ``stopping`` …"""
    return EventDraft("gateway.state", Lane.STATE, "gateway", {"action": action, **details}, now)


def operator_event(action: str, details: Mapping[str, object], operator: Operator, now: Instant) -> EventDraft:
    """Return the event of what a person did that is not an alarm's transition."""
    data = {"action": action, **details, "operator": _operator(operator)}
    return EventDraft("operator.action", Lane.STATE, action, data, now, test=action == "test-outputs")


def _removals(alarm: Alarm) -> list[tuple[str, Removal | None]]:
    return [("shelved", alarm.shelved), ("suppressed", alarm.suppressed), ("out_of_service", alarm.out_of_service)]


def _input(point: str, sample: Sample | None) -> dict[str, object]:
    if sample is None:
        return {"point": point, "value": None, "quality": "bad", "reason": "never read"}
    return {
        "point": point,
        "value": sample.value,
        "quality": sample.quality,
        "reason": sample.reason,
        "source_time": _text(sample.source_time),
        "received_at": _text(sample.received_at),
        "evidence": sample.evidence,
    }


def _operator(operator: Operator | None) -> dict[str, str] | None:
    return {"name": operator.name, "via": operator.via, "note": operator.note} if operator else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
