"""The whole story of one alarm, as the local API tells it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from agent.api.view import AlarmRow
from agent.core.model import Alarm, AlarmDefinition, Quality, Removal
from agent.flood import is_muted_by_flood
from agent.pipeline import Pipeline
from agent.reports import RemovalRow, escalation_row, hazard_row, removal_row


def alarm_row(definition: AlarmDefinition, alarm: Alarm, pipeline: Pipeline, now_s: float) -> AlarmRow:
    """Return the whole story of one alarm."""
    operations = pipeline.operations
    return {
        "id": alarm.id,
        "kind": definition.kind,
        "name": dict(definition.name),
        "priority": definition.priority.name,
        "state": alarm.state,
        "active": alarm.active,
        "silenced": alarm.silenced,
        "degraded": alarm.degraded,
        "latched": definition.latch,
        "value": alarm.value,
        "unit": definition.unit,
        "limit": definition.limit,
        "condition": definition.condition,
        "raised_at": _text(alarm.raised_at),
        "cleared_at": _text(alarm.cleared_at),
        "acknowledged_at": _text(alarm.acknowledged_at),
        "acknowledged_by": alarm.acknowledged_by,
        "note": alarm.note,
        "occurrence": alarm.occurrence,
        "count": alarm.count,
        "consequence": dict(definition.consequence),
        "response": dict(definition.response),
        "post": definition.post,
        "zone": definition.zone,
        "inputs": list(definition.inputs),
        "rule": definition.rule,
        "group": definition.group,
        "parents": list(definition.parents),
        "labels": dict(definition.labels),
        "first_out": alarm.first_out,
        "chattering": alarm.chattering,
        "off_delay_s": pipeline.engine.delays(alarm.id).off_s,
        "muted": is_muted_by_flood(definition, alarm, pipeline.muted_zones()),
        "unknown": list(_unknown(definition, pipeline, now_s)) if alarm.degraded else [],
        "escalation": escalation_row(alarm, definition),
        "shelved": _removal(alarm.shelved),
        "suppressed": _removal(alarm.suppressed),
        "out_of_service": _removal(alarm.out_of_service),
        "hazard": hazard_row(alarm),
        "longest_shelf_s": definition.longest_shelf_s,
        "ack_needs_reason": operations.policy.needs_reason(definition),
    }


def _removal(found: Removal | None) -> RemovalRow | None:
    return removal_row(found) if found is not None else None


def _unknown(definition: AlarmDefinition, pipeline: Pipeline, now_s: float) -> Iterator[str]:
    for point in definition.inputs:
        sample = pipeline.facts.get(point, now_s)
        if sample is None or sample.quality is not Quality.GOOD:
            yield f"{point}: {(sample.reason or sample.quality) if sample is not None else 'never read'}"


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
