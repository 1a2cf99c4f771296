"""An agent in memory, for the API, the command line and the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

from agent.api.explaining import Explanation
from agent.api.operations import FloodRow, RemovedRow, Report, StandingRow
from agent.api.rulesets import RulesRow, RulesView
from agent.api.trials import Trials
from agent.api.view import AlarmRow, PointRow, Status
from agent.core.errors import NotAllowed
from agent.core.model import Operator
from agent.coverage import CoverageRow
from agent.evidence import ItemRow
from tests.rows import NOW, alarm, event, figures, removal_of


class FakeOperations:
    """Implements ``OperationsView``."""

    def __init__(self, view: FakeView) -> None:
        self._view = view
        self.floods: list[FloodRow] = []

    def removed(self) -> list[RemovedRow]:
        return [
            {**{key: row[key] for key in ("id", "name", "priority", "state", "active")}, **found}  # type: ignore[typeddict-item]
            for row in self._view.rows
            if (found := row["shelved"] or row["suppressed"] or row["out_of_service"])
        ]

    def report(self) -> Report:
        row = self._view.rows[0]
        standing: StandingRow = {
            "id": row["id"], "name": row["name"], "priority": row["priority"], "raised_at": NOW, "off_delay_s": 40.0
        }  # fmt: skip
        return {
            "at": NOW, "crew": "crew B", "raised_10min": 3, "floods": self.floods, "chattering": [standing],
            "stale": [standing], "removed": self.removed(), "spans": {"24h": figures(40), "30d": figures(400)},
        }  # fmt: skip

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        row = self._row(alarm)
        if seconds > row["longest_shelf_s"]:
            raise NotAllowed(f"{alarm} cannot be shelved for so long")
        self._view.done.append(("shelve", alarm, seconds, operator))
        row["shelved"], row["state"] = removal_of(operator.note, operator.name, NOW), "shelved"
        return True

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        return self._back(alarm, "unshelve", operator)

    def take_out(self, alarm: str, second: str, operator: Operator) -> bool:
        row = self._row(alarm)
        self._view.done.append(("take_out", alarm, second, operator))
        row["out_of_service"] = removal_of(operator.note, operator.name, None, second)
        row["state"] = "out-of-service"
        return True

    def bring_back(self, alarm: str, operator: Operator) -> bool:
        return self._back(alarm, "bring_back", operator)

    def _back(self, alarm: str, what: str, operator: Operator) -> bool:
        row = self._row(alarm)
        self._view.done.append((what, alarm, operator))
        was = row["shelved"] or row["out_of_service"]
        row["shelved"] = row["out_of_service"] = None
        row["state"] = "unacknowledged" if row["active"] else "normal"
        return was is not None

    def _row(self, alarm: str) -> AlarmRow:
        row = next((row for row in self._view.rows if row["id"] == alarm), None)
        if row is None:
            raise KeyError(alarm)
        return row


class FakeCameras:
    """Implements ``CamerasView``."""

    def __init__(self, view: FakeView) -> None:
        self._view = view

    def accept(self, camera: str, operator: Operator) -> None:
        if camera != "gate":
            raise KeyError(camera)
        self._view.done.append(("accept", camera, operator))

    def coverage(self) -> list[CoverageRow]:
        row: CoverageRow = {
            "rule": "ppe", "shift": "night", "crew": "crew B", "since": NOW, "minutes": 60, "watched": 45
        }  # fmt: skip
        return [row]


class FakeTrials:
    """Implements ``agent.api.trials.Trials``."""

    def __init__(self, done: list[tuple[Any, ...]]) -> None:
        self.done = done

    def start_self_test(self, operator: Operator) -> None:
        self.done.append(("self-test", operator))

    def confirm_test(self, heard: bool, operator: Operator) -> bool:
        self.done.append(("confirm", heard, operator))
        return True

    async def prove(self, camera: str | None, operator: Operator) -> list[dict[str, Any]]:
        if camera not in ("gate", None):
            raise KeyError(camera)
        self.done.append(("prove", camera, operator))
        legs = {"picture_to_facts": 800.0, "rule": 1000.0, "outputs": 12.5}
        return [{"camera": "gate", "passed": camera is None, "reason": "siren: read back False", "legs_ms": legs}]


class FakeModels:
    """One camera with the model of ``site.yaml``; of ``bad`` an activation is refused, of ``old`` unless wanted."""

    def row(self) -> dict[str, Any]:
        last = {"at": NOW, "action": "rejected", "model": "ppe/1.0.1", "reason": "it is bad"}
        gate = {
            "camera": "gate", "model": "", "name": "ppe", "version": "1.0.0", "sha256": "ab12",
            "precision": "int8", "provider": "cpu", "engine": "cpu int8",
            "engine_reason": "cuda fp32: its driver is broken", "since": NOW, "previous": [], "probation_s": 599.6,
            "latency_ms": 31.5, "last": last, "shadow": self.shadowing, "offer": self.offer,
        }  # fmt: skip
        return {"cameras": [gate], "kept": ["ppe/1.0.1"]}

    async def activate(
        self, camera: str, model: str, operator: Operator, force: bool = False, older: bool = False
    ) -> dict[str, Any]:
        if camera != "gate":
            raise KeyError(camera)
        is_refused = model == "bad" or (model == "old" and not (older and operator.note))
        action, reason = ("rejected", f"it is {model}") if is_refused else ("activated", "")
        return {"action": action, "camera": camera, "model": model, "previous": "", "reason": reason}

    def __init__(self) -> None:
        self.shadowing: dict[str, Any] | None = None
        self.offer: dict[str, str] | None = None

    async def shadow(self, camera: str, model: str, for_s: float, operator: Operator) -> dict[str, Any]:
        if camera != "gate":
            raise KeyError(camera)
        action, reason = ("rejected", "it is bad") if model == "bad" else ("shadowing", "")
        if action == "shadowing":
            fact = {"at_work": 1.25, "shadow": 1.5, "agreement_percent": 93.3}
            self.shadowing = {
                "camera": camera, "model": model, "beside": "", "since": NOW, "seconds": 30.0, "left_s": for_s,
                "ended": "", "pictures": 60, "agreement_percent": 93.3, "facts": {"persons": fact},
                "took_ms": {"at_work": 31.5, "shadow": 24.0}, "faults": 0,
                "differences": [{"at": NOW, "by": 2.0, "at_work": {"persons": 3.0}, "shadow": {"persons": 1.0}}],
            }  # fmt: skip
        return {"action": action, "camera": camera, "model": model, "previous": "", "reason": reason}

    async def stop_shadow(self, camera: str, operator: Operator) -> dict[str, Any]:
        row = await self.comparison(camera)
        row = {**row, "ended": "somebody wanted it", "left_s": 0.0, "pictures_kept": ["/state/1-shadow.jpg"]}
        return {"action": "shadowed", "camera": camera, "model": row["model"], "previous": "", "comparison": row}

    async def comparison(self, camera: str) -> dict[str, Any]:
        if self.shadowing is None:
            raise NotAllowed("no second model looked through gate yet")
        return self.shadowing

    async def rollback(self, camera: str, operator: Operator, force: bool = False) -> dict[str, Any]:
        return {
            "action": "rolled-back",
            "camera": camera,
            "model": "",
            "previous": "ppe/1.0.1",
            "reason": operator.note,
        }


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


class FakeExplainer:
    """Implements ``agent.api.explaining.ExplainingView``."""

    async def explain(self, alarm: str) -> Explanation:
        if alarm != "gas.HH":
            raise KeyError(alarm)
        return {
            "id": alarm, "name": {"en": "Gas"}, "consequence": {}, "response": {}, "state": "unacknowledged",
            "rule": ["raised when room.gas at or above 40 %LEL"], "now": ["unacknowledged: active"],
            "inputs": ["room.gas = 41.5, good, 0.3 s old"], "timers": [], "removed": [],
            "why_not": ["it is raised"],
            "samples": {"room.gas": [{"value": None, "quality": "bad", "reason": "timeout", "age_s": 2.0},
                                     {"value": 41.5, "quality": "uncertain", "reason": None, "age_s": 0.3}]},
            "events": [{"time": NOW, "data": {"action": "raised", "value": 41.5, "operator": None}}],
        }  # fmt: skip


class FakeEvidence:
    """Implements ``EvidenceView``: one picture that everybody may see, and one that only li may."""

    def __init__(self) -> None:
        self.fault = ""
        self.jpeg = b"\xff\xd8jpeg"
        self.sent: list[str] = []

    def rows(self, alarm: str | None, occurrence: str | None) -> list[ItemRow]:
        kinds = {"annotated": True, "original": False} if alarm in (None, "bare_head") else {}
        return [
            {
                "id": f"e1.gate/{kind}", "kind": kind, "alarm_id": "bare_head", "occurrence_id": "o1", "camera": "gate",
                "priority": "P2", "media_type": "image/jpeg", "bytes": 6, "sha256": "00", "taken_at": NOW,
                "seconds": 0.0, "model": "ppe 1.0.0", "blurred": blurred, "expires_at": NOW,
            }
            for kind, blurred in kinds.items()
        ]  # fmt: skip

    async def content(self, id_: str, operator: Operator | None) -> tuple[str, bytes]:
        if id_ not in ("e1.gate/annotated", "e1.gate/original"):
            raise KeyError(id_)
        if self.fault or (id_.endswith("original") and (operator is None or operator.name != "li")):
            raise NotAllowed(f"{id_} is {self.fault or 'not for you'}")
        return "image/jpeg", self.jpeg

    def send(self, id_: str) -> int:
        self.sent.append(id_)
        return 1

    async def verify(self) -> list[dict[str, str]]:
        return [{"id": "e1.gate/annotated", "fault": self.fault}, {"id": "e1.gate/original", "fault": ""}]


class FakeView:
    """Implements ``GatewayView``; ``done`` holds what people did."""

    def __init__(self, language: str = "en") -> None:
        self.rules: RulesView = FakeRules()
        self.models = FakeModels()
        self.rows = [
            alarm("gas.HH", "P1", "unacknowledged"),
            alarm("bare_head", "P2", "unacknowledged", value=True, unit=""),
            alarm("level.L", "P3", "acknowledged", acknowledged_by="li"),
            alarm("uplink", "P4", "normal"),
        ]
        self.evidence = FakeEvidence()
        self.operations = FakeOperations(self)
        self.cameras = FakeCameras(self)
        self.explainer = FakeExplainer()
        self.done: list[tuple[Any, ...]] = []
        self.events_: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.language = language
        self.jpeg: bytes | None = None
        self.trials: Trials = FakeTrials(self.done)

    def status(self) -> Status:
        link = {"state": "online", "since": NOW, "reason": "", "points": 3, "bad_points": 1}
        paces = {"fps": 2.4, "fps_asked": 5.0, "fps_granted": 2.5}
        output = {"confirmed": True, "confirmed_age_s": 0.2, "reason": "", "testing": False}
        return {
            "gateway": {"id": "gw", "site": "works", "area": "hall", "language": self.language, "version": "0.1"},
            "started_at": NOW,
            "uptime_s": 3723.0,
            "loop_lag_ms": 0.1,
            "alarms": {"active": 3, "unacknowledged": 2, "by_priority": {"P1": 1, "P2": 1, "P3": 1, "P4": 0}},
            "devices": [{"id": "plc", "protocol": "modbus-tcp", **link}],  # type: ignore[typeddict-item]
            "cameras": [{"id": "gate", "protocol": "camera", **paces, "camera_ok": True, **link}],  # type: ignore[typeddict-item]
            "outputs": [
                {"id": "siren", "kind": "siren", "wanted": "on", "seen": "on", **output},  # type: ignore[typeddict-item]
                {"id": "beacon", "kind": "red", "wanted": "flash", "seen": None, **output, "confirmed": False},  # type: ignore[typeddict-item]
            ],
            "journal": {
                "events": 7,
                "pending": {"alarm": 2},
                "bytes": 4096,
                "in_memory": 0,
                "failed": "",
                "autonomy_h": 9999.0,
            },
            "rules": self.rules.row(),
            "uplink": {
                "state": "offline", "broker": "mqtt://centre", "since": NOW, "reason": "connection refused",
                "sent": 5, "in_flight": 0, "nobody_listens": False,
                "preferred": True,
            },
            "sparkplug": {
                "state": "online", "broker": "mqtt://scada", "since": NOW, "reason": "", "sent": 7, "kept": 0,
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
        if row["ack_needs_reason"] and not operator.note:
            raise NotAllowed(f"to acknowledge {id_} needs a reason")
        self.done.append(("acknowledge", id_, operator))
        changed = row["state"] == "unacknowledged"
        row["state"] = "acknowledged"
        return changed

    def silence(self, alarm: str | None, operator: Operator) -> int:
        self.done.append(("silence", alarm, operator))
        return 2

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        self.done.append(("test", seconds, outputs, operator))
