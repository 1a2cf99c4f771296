"""An agent in memory, for the API, the command line and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any

from agent.api.rulesets import RulesRow, RulesView
from agent.api.view import AlarmRow, PointRow, Status
from agent.core.model import Operator

NOW = datetime.now(UTC).isoformat()


def alarm(id_: str, priority: str, state: str, **more: Any) -> AlarmRow:
    row: AlarmRow = {
        "id": id_, "kind": "level", "name": {"en": f"Alarm {id_}", "zh": f"报警 {id_}"}, "priority": priority,
        "state": state, "active": state != "normal", "silenced": False, "degraded": False, "latched": False,
        "value": 41.5, "unit": "%LEL", "limit": 40.0, "condition": "", "raised_at": NOW, "cleared_at": None,
        "acknowledged_at": None, "acknowledged_by": "", "note": "", "occurrence": "o", "count": 1, "consequence": {},
        "response": {"en": "Leave the room", "zh": "撤离"}, "post": "operator", "zone": "room", "inputs": ["room.gas"],
    }  # fmt: skip
    return {**row, **more}  # type: ignore[typeddict-item]


class FakeRules:
    """Implements ``RulesView``."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.answer: dict[str, Any] = {
            "action": "applied", "revision": "new", "previous": "old", "lines": ["+ gas.H (P2): gas at or above 20"],
            "faults": [], "reason": "", "kept": True, "difference": {},
        }  # fmt: skip

    def row(self) -> RulesRow:
        return {"revision": "old", "in_step": True, "disk": "old", "rejected": None}

    async def push(
        self, rules: list[str], files: dict[str, str], operator: Operator, force: bool, rehearse: bool
    ) -> dict[str, Any]:
        self.done.append(("push", rules, files, operator, force, rehearse))
        return self.answer

    async def rollback(self, operator: Operator, force: bool) -> dict[str, Any]:
        self.done.append(("rollback", operator, force))
        return self.answer

    async def history(self) -> dict[str, Any]:
        entry = {"revision": "old", "action": "applied", "at": NOW, "operator": "li", "via": "cli", "note": "why"}
        return {"stack": ["old"], "log": [entry]}

    async def difference(self, revision: str) -> dict[str, Any]:
        if revision != "older":
            raise KeyError(revision)
        return {"difference": {}, "lines": self.answer["lines"]}


class FakeView:
    """Implements ``GatewayView``; ``done`` holds what people did."""

    def __init__(self, language: str = "en") -> None:
        self.rules: RulesView = FakeRules()
        self.rows = [
            alarm("gas.HH", "P1", "unacknowledged"),
            alarm("bare_head", "P2", "unacknowledged", value=True, unit=""),
            alarm("level.L", "P3", "acknowledged", acknowledged_by="li"),
            alarm("uplink", "P4", "normal"),
        ]
        self.done: list[tuple[Any, ...]] = []
        self.events_: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.language = language
        self.jpeg: bytes | None = None

    def status(self) -> Status:
        link = {"state": "online", "since": NOW, "reason": "", "points": 3, "bad_points": 1}
        output = {"confirmed": True, "confirmed_age_s": 0.2, "reason": "", "testing": False}
        return {
            "gateway": {"id": "gw", "site": "works", "area": "hall", "language": self.language, "version": "0.1"},
            "started_at": NOW,
            "uptime_s": 3723.0,
            "loop_lag_ms": 0.1,
            "alarms": {"active": 3, "unacknowledged": 2, "by_priority": {"P1": 1, "P2": 1, "P3": 1, "P4": 0}},
            "devices": [{"id": "plc", "protocol": "modbus-tcp", **link}],  # type: ignore[typeddict-item]
            "cameras": [{"id": "gate", "protocol": "camera", "fps": 5.0, "camera_ok": True, **link}],  # type: ignore[typeddict-item]
            "outputs": [
                {"id": "siren", "kind": "siren", "wanted": "on", "seen": "on", **output},  # type: ignore[typeddict-item]
                {"id": "beacon", "kind": "red", "wanted": "flash", "seen": None, **output, "confirmed": False},  # type: ignore[typeddict-item]
            ],
            "journal": {"events": 7, "pending": {"alarm": 2}, "bytes": 4096, "in_memory": 0, "failed": ""},
            "rules": self.rules.row(),
            "uplink": {
                "state": "offline", "broker": "mqtt://centre", "since": NOW, "reason": "connection refused",
                "sent": 5, "in_flight": 0, "nobody_listens": False,
            },
        }  # fmt: skip

    def points(self) -> list[PointRow]:
        row = {"unit": "%LEL", "age_s": 0.1, "source_time": None, "zone": "room", "description": ""}
        return [
            {"id": "room.gas", "value": 41.5, "quality": "good", "reason": None, **row},  # type: ignore[typeddict-item]
            {"id": "room.lost", "value": None, "quality": "bad", "reason": "illegal data address", **row},  # type: ignore[typeddict-item]
        ]

    def alarms(self, everything: bool) -> list[AlarmRow]:
        return [row for row in self.rows if everything or row["state"] != "normal"]

    async def events(self, limit: int, after: int | None, lane: str | None) -> list[dict[str, Any]]:
        return [event(number) for number in range(1, 4)][-limit:]

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield await self.events_.get()

    def picture(self, camera: str) -> bytes | None:
        if camera != "gate":
            raise KeyError(camera)
        return self.jpeg

    async def settle(self) -> None:
        self.done.append(("settle",))

    def acknowledge(self, id_: str, operator: Operator) -> bool:
        row = next((row for row in self.rows if row["id"] == id_), None)
        if row is None:
            raise KeyError(id_)
        self.done.append(("acknowledge", id_, operator))
        changed = row["state"] == "unacknowledged"
        row["state"] = "acknowledged"
        return changed

    def silence(self, alarm: str | None, operator: Operator) -> int:
        self.done.append(("silence", alarm, operator))
        return 2

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        self.done.append(("test", seconds, outputs, operator))


def event(number: int) -> dict[str, Any]:
    return {
        "id": str(number), "type": "anshao.alarm.transition.v1", "subject": "gas.HH", "time": NOW, "lane": "alarm",
        "seq": number, "test": False, "data": {"action": "raised", "to_state": "unacknowledged", "value": 41.5},
    }  # fmt: skip
