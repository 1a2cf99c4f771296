"""Rows as the gateway gives them, for the API, the command line and the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agent.api.view import AlarmRow
from agent.core.hazard import Handling
from agent.kpi import Answers, Figures
from agent.reports import HazardRow, RemovalRow

NOW = datetime.now(UTC).isoformat()


def alarm(id_: str, priority: str, state: str, **more: Any) -> AlarmRow:
    row: AlarmRow = {
        "id": id_, "kind": "level", "name": {"en": f"Alarm {id_}", "zh": f"报警 {id_}"}, "priority": priority,
        "state": state, "active": state != "normal", "silenced": False, "degraded": False, "latched": False,
        "value": 41.5, "unit": "%LEL", "limit": 40.0, "condition": "", "raised_at": NOW, "cleared_at": None,
        "acknowledged_at": None, "acknowledged_by": "", "note": "", "occurrence": "o", "count": 1, "consequence": {},
        "response": {"en": "Leave the room", "zh": "撤离"}, "post": "operator", "zone": "room", "inputs": ["room.gas"],
        "rule": id_, "group": "", "parents": [], "labels": {}, "first_out": False, "chattering": False,
        "off_delay_s": 10.0, "muted": False, "unknown": [], "escalation": None, "hazard": None, "shelved": None,
        "suppressed": None, "out_of_service": None, "longest_shelf_s": {"P1": 0.0, "P2": 1800.0}.get(priority, 28800.0),
        "ack_needs_reason": priority in ("P1", "P2"),
    }  # fmt: skip
    return {**row, **more}  # type: ignore[typeddict-item]


def removal_of(reason: str, by: str, until: str | None = None, second: str = "") -> RemovalRow:
    return {"reason": reason, "by": by, "via": "hmi", "second": second, "since": NOW, "until": until}


def hazard_of(status: Handling, responsible: str) -> HazardRow:
    return {
        "hazard": "YH-31", "status": status, "level": "major", "measures": "", "responsible": responsible,
        "deadline": "2026-01-12", "supervised": True, "reason": "", "occurrence_id": "o", "recurs": True,
        "by": "Zhao", "via": "mqtt", "at": NOW,
    }  # fmt: skip


def figures(raised: int) -> Figures:
    answers: Answers = {"count": 4, "median_s": 21.0, "p90_s": 75.0}
    none: Answers = {"count": 0, "median_s": None, "p90_s": None}
    shares = {"P1": 0.05, "P2": 0.15, "P3": 0.8, "P4": 0.0}
    return {
        "observed_s": 86400, "raised": raised, "per_10min_average": 0.3, "per_10min_peak": 12,
        "by_priority": {
            name: {"raised": round(raised * share), "share": share, "acknowledge": answers if share else none}
            for name, share in shares.items()
        },
        "top": [{"alarm": "gas.HH", "raised": 20, "share": 0.5}, {"alarm": "level.L", "raised": 9, "share": 0.2}],
        "top_share": 0.7, "false": [{"alarm": "tank.H", "said": 2}], "false_share": 0.05,
        "acknowledge": answers, "flood_s": 864, "flood_share": 0.01,
    }  # fmt: skip


def event(number: int) -> dict[str, Any]:
    return {
        "id": str(number), "type": "anshao.alarm.transition.v1", "subject": "gas.HH", "time": NOW, "lane": "alarm",
        "seq": number, "test": False, "data": {"action": "raised", "to_state": "unacknowledged", "value": 41.5},
    }  # fmt: skip
