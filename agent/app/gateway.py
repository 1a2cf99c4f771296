"""The agent as the local API sees it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, cast

from agent.api.evidence import EvidenceView
from agent.api.modelsets import ModelsView
from agent.api.rulesets import RulesView
from agent.api.trials import Trials
from agent.api.view import (
    AlarmRow,
    CameraRow,
    ConnectionRow,
    DeviceRow,
    OutputRow,
    PointRow,
    SparkplugRow,
    Status,
    UplinkRow,
)
from agent.app.alarm_row import alarm_row
from agent.app.cameras import CamerasDesk
from agent.app.explaining import Explainer
from agent.app.operations import OperationsDesk
from agent.app.parts import Parts
from agent.app.plan import Plan
from agent.app.rulesets.keeper import RuleSets
from agent.app.rulesets.view import Rules
from agent.core.errors import NotAllowed
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Operator, PointInfo, Quality, Sample, Value
from agent.core.ports import PictureSource
from agent.evidence import Evidence
from agent.journal import Entry
from agent.outputs import Output
from agent.sparkplug.edge import EdgeStatus
from agent.uplink import UplinkStatus
from agent.version import VERSION

_STREAM_BUFFER = 1000
"""Events that a slow reader of the stream may lag behind before it misses some."""


class Gateway:
    """Implements ``agent.api.view.GatewayView``."""

    def __init__(
        self, plan: Plan, parts: Parts, trials: Trials, rules: RuleSets, evidence: Evidence, models: ModelsView
    ) -> None:
        self.trials = trials
        self.evidence: EvidenceView = evidence
        self.config_revision = plan.site.revision
        self.rules: RulesView = Rules(rules)
        self.models = models
        self._plan = plan
        self._parts = parts
        self._started = parts.clock.now()
        self.operations = OperationsDesk(parts)
        self.cameras = CamerasDesk(plan, parts)
        self.explainer = Explainer(parts.pipeline, parts.journal, parts.clock)
        self._readers: set[asyncio.Queue[dict[str, Any]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        parts.journal.on_commit.append(self._committed)

    def status(self) -> Status:
        """Return the whole at a glance."""
        now, options, parts = self._parts.clock.now(), self._plan.site.gateway, self._parts
        journal = parts.journal.stats
        alarms = [
            (parts.pipeline.engine.definitions[id_], alarm) for id_, alarm in parts.pipeline.engine.alarms.items()
        ]
        return {
            "gateway": {
                "id": options.id,
                "site": options.site,
                "area": options.area,
                "language": options.language,
                "version": VERSION,
            },
            "started_at": self._started.utc.isoformat(),
            "uptime_s": round(now.mono_s - self._started.mono_s, 1),
            "loop_lag_ms": round(parts.health.loop_lag_s * 1000, 1),
            "alarms": {
                "active": sum(alarm.active for _, alarm in alarms),
                "unacknowledged": sum(_waits(alarm) for _, alarm in alarms),
                "by_priority": _by_priority(alarms),
            },
            "devices": [self._device(id_) for id_ in self._plan.site.devices],
            "cameras": [self._camera(id_) for id_ in self._plan.site.cameras],
            "outputs": [row for bus in parts.buses for row in self._outputs(bus.outputs)],
            "journal": {
                "events": parts.journal.last_seq,
                "pending": journal.pending or {},
                "bytes": journal.bytes,
                "in_memory": journal.in_memory,
                "failed": journal.failed,
                "autonomy_h": round(journal.autonomy_h, 1),
            },
            "uplink": self._uplink(),
            "sparkplug": self._sparkplug(),
            "rules": self.rules.row(),
        }

    def points(self) -> list[PointRow]:
        """Return every point."""
        now_s = self._parts.clock.now().mono_s
        return [_point(info, sample, now_s) for info, sample in self._parts.pipeline.facts.all(now_s)]

    def alarms(self, everything: bool) -> list[AlarmRow]:
        """Return alarms, most urgent first, the newest of each priority first."""
        definitions = self._parts.pipeline.engine.definitions
        found = [
            (definitions[id_], alarm)
            for id_, alarm in self._parts.pipeline.engine.alarms.items()
            if everything or alarm.state is not AlarmState.NORMAL
        ]
        found.sort(key=lambda pair: (pair[0].priority, -(pair[1].raised_at or self._started.utc).timestamp()))
        pipeline, now_s = self._parts.pipeline, self._parts.clock.now().mono_s
        return [alarm_row(definition, alarm, pipeline, now_s) for definition, alarm in found]

    async def events(self, limit: int, after: int | None, lane: str | None) -> list[dict[str, Any]]:
        """Return journalled envelopes, oldest first."""
        return await self._parts.journal.events(limit, after, lane)

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yield each envelope as it is committed."""
        self._loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_STREAM_BUFFER)
        self._readers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.discard(queue)

    def picture(self, camera: str) -> bytes | None:
        """Return the newest annotated JPEG of a camera."""
        if camera not in self._plan.site.cameras:
            raise KeyError(camera)
        return cast(PictureSource, self._plan.drivers[camera]).picture()

    async def settle(self) -> None:
        """Wait until what was done is on the disk: who is told "acknowledged" may rely on it."""
        with suppress(sqlite3.Error, TimeoutError):  # a disk that fails is told elsewhere; the act stands
            async with asyncio.timeout(1.0):
                await self._parts.journal.settled()

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        """Acknowledge one alarm."""
        return self._parts.pipeline.acknowledge(alarm, operator)

    def silence(self, alarm: str | None, operator: Operator) -> int:
        """Silence one alarm or all that sound."""
        return self._parts.pipeline.silence(alarm, operator)

    def test_outputs(self, seconds: float, outputs: Collection[str] | None, operator: Operator) -> None:
        """Switch outputs on for a while. Raises NotAllowed if alarms drive all of them: nothing would change."""
        annunciator = self._parts.pipeline.annunciator
        names = [name for name in (annunciator.outputs if outputs is None else outputs) if name in annunciator.outputs]
        if names and all(map(annunciator.is_preempted, names)):
            raise NotAllowed(f"an alarm drives {', '.join(names)} now; test when it is over")
        self._parts.pipeline.test_outputs(seconds, outputs, operator)

    def _device(self, id_: str) -> DeviceRow:
        state = self._parts.runners[id_].state
        now_s = self._parts.clock.now().mono_s
        driver = self._plan.drivers[id_]
        config = self._plan.site.devices.get(id_) or self._plan.site.cameras[id_]
        found = (self._parts.pipeline.facts.get(point.id, now_s) for point in driver.points)
        bad = [sample for sample in found if _is_bad(sample)]
        first = next((f"{sample.point}: {sample.reason}" for sample in bad if sample is not None and sample.reason), "")
        return {
            "id": id_,
            "protocol": config.type.protocol,
            "state": state.link,
            "since": state.since.isoformat(),
            "reason": state.reason or first,
            "points": len(driver.points),
            "bad_points": len(bad),
        }

    def _camera(self, id_: str) -> CameraRow:
        told = {name: self._value(f"{id_}.{name}") for name in ("fps", "fps_asked", "fps_granted", "camera_ok")}
        return cast(CameraRow, {**self._device(id_), **told})

    def _value(self, point: str) -> Value:
        sample = self._parts.pipeline.facts.get(point, self._parts.clock.now().mono_s)
        return sample.value if sample is not None else None

    def _outputs(self, outputs: list[Output]) -> Iterator[OutputRow]:
        now_s = self._parts.clock.now().mono_s
        testing = self._parts.pipeline.annunciator.testing(now_s)
        for output in outputs:
            wanted = self._parts.pipeline.annunciator.wanted[output.name]
            yield {
                "id": output.name,
                "kind": output.kind,
                "wanted": wanted,
                "seen": output.seen,
                "confirmed": output.is_at(wanted),
                "confirmed_age_s": round(now_s - output.confirmed_s, 1) if output.confirmed_s is not None else None,
                "reason": output.reason,
                "testing": output.name in testing,
            }

    def _uplink(self) -> UplinkRow | None:
        if self._parts.uplink is None:
            return None
        status = self._parts.uplink.status
        return {
            **_connection(status),
            "in_flight": status.in_flight,
            "nobody_listens": status.nobody_listens,
            "preferred": status.preferred,
        }

    def _sparkplug(self) -> SparkplugRow | None:
        if self._parts.edge is None:
            return None
        status = self._parts.edge.status
        return {
            **_connection(status),
            "kept": status.kept,
        }

    def _committed(self, entries: list[Entry]) -> None:
        """Called from the journal's thread."""
        if self._readers and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._publish, [entry.envelope() for entry in entries])

    def _publish(self, bodies: list[dict[str, Any]]) -> None:
        for queue in self._readers:
            for body in bodies:
                if not queue.full():
                    queue.put_nowait(body)


def _connection(status: UplinkStatus | EdgeStatus) -> ConnectionRow:
    return {
        "state": "online" if status.online else "offline",
        "broker": status.broker,
        "since": status.since.isoformat(),
        "reason": status.reason,
        "sent": status.sent,
    }


def _waits(alarm: Alarm) -> bool:
    return alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)


def _by_priority(alarms: list[tuple[AlarmDefinition, Alarm]]) -> dict[str, int]:
    counts = dict.fromkeys(("P1", "P2", "P3", "P4"), 0)
    for definition, alarm in alarms:
        counts[definition.priority.name] += alarm.active
    return counts


def _is_bad(sample: Sample | None) -> bool:
    return sample is None or sample.quality is Quality.BAD


def _point(info: PointInfo, sample: Sample | None, now_s: float) -> PointRow:
    return {
        "id": info.id,
        "value": sample.value if sample else None,
        "unit": info.unit,
        "quality": sample.quality if sample else Quality.BAD,
        "age_s": round(now_s - sample.received_s, 2) if sample else None,
        "source_time": _text(sample.source_time) if sample else None,
        "reason": sample.reason if sample else "never read",
        "zone": info.zone,
        "description": info.description,
    }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
