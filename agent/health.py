"""The gateway's own points, and the watchdog: it is fed only while the parts that guard people are alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import structlog

from agent.core.model import Instant, PointInfo, Sample, Value
from agent.core.ports import Clock
from agent.flood import SUMMARY
from agent.journal import JournalStats
from agent.notify import notify
from agent.outputs import OutputBus
from agent.pipeline import Pipeline

log = structlog.get_logger(__name__)

SPARKPLUG = "gateway.sparkplug_online"
PERIOD_S = 0.5
LAG_LIMIT_S = 2.0
OUTPUTS_LIMIT_S = 10.0
"""An output bus turns at least every 0.5 s, also while its device is away (a connection attempt is bounded
by the device's timeout). A device that does not answer is a matter for an alarm; only a loop that no
longer turns is one for a restart."""


def gateway_points(outputs: Sequence[str], devices: Sequence[str], zones: Sequence[str] = ()) -> list[PointInfo]:
    """Return the points that the gateway publishes of itself, of its outputs and of its devices."""
    return [
        *(PointInfo(f"{device}.bad_points", description=f"points of {device} that are unknown") for device in devices),
        PointInfo("gateway.loop_lag_ms", "ms", description="how late the event loop ran"),
        PointInfo("gateway.journal_ok", description="events reach the disk"),
        PointInfo("gateway.autonomy_h", "h", description="room for this long while nothing is sent"),
        PointInfo(SUMMARY, description="more alarms than people can take in"),
        *(PointInfo(f"{SUMMARY}.{zone}", zone=zone, description=f"the same in {zone}") for zone in zones),
        PointInfo("gateway.rules_ok", description="the rule files are what runs"),
        *(PointInfo(f"{name}.confirmed", description=f"output {name} follows what is wanted") for name in outputs),
    ]


class Health:
    """Publishes the gateway's state and feeds the watchdog."""

    def __init__(
        self,
        pipeline: Pipeline,
        buses: Sequence[OutputBus],
        uplink: Callable[[], Iterable[tuple[str, Value]]],
        journal: Callable[[], JournalStats],
        devices: Mapping[str, Sequence[PointInfo]],
        clock: Clock,
        rules_ok: Callable[[], bool] = lambda: True,
        sparkplug_online: Callable[[], bool] | None = None,
    ) -> None:
        self._rules_ok = rules_ok
        self._sparkplug_online = sparkplug_online
        self.loop_lag_s = 0.0
        self._pipeline = pipeline
        self._buses = buses
        self._uplink = uplink
        self._journal = journal
        self._devices = devices
        self._clock = clock
        self._late = ""
        begin = f"{SUMMARY}."
        self._zones = [point.removeprefix(begin) for point in pipeline.facts.points if point.startswith(begin)]

    async def run(self) -> None:
        """Publish and feed until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            before_s = loop.time()
            await asyncio.sleep(PERIOD_S)
            self.loop_lag_s = max(0.0, loop.time() - before_s - PERIOD_S)
            self.publish()
            self._feed()

    def publish(self) -> None:
        """Hand the gateway's own samples to the rules, and let backups take over for outputs that failed."""
        now = self._clock.now()
        failed = {name for bus in self._buses for name in bus.failed(now.mono_s)}
        self._pipeline.annunciator.unconfirmed(failed)
        self._pipeline.refresh(now)
        values = [*self._values(failed), *self._bad_points(now.mono_s)]
        self._pipeline.ingest([_sample(point, value, now) for point, value in values])

    def _values(self, failed: set[str]) -> Iterator[tuple[str, Value]]:
        yield "gateway.loop_lag_ms", round(self.loop_lag_s * 1000, 1)
        yield from self._uplink()
        journal = self._journal()
        yield "gateway.journal_ok", not journal.failed
        yield "gateway.autonomy_h", round(journal.autonomy_h, 1)
        yield from self._floods()
        yield "gateway.rules_ok", self._rules_ok()
        if self._sparkplug_online is not None:
            yield SPARKPLUG, self._sparkplug_online()
        for bus in self._buses:
            yield from ((f"{output.name}.confirmed", output.name not in failed) for output in bus.outputs)

    def _floods(self) -> Iterator[tuple[str, Value]]:
        flooded = self._pipeline.operations.flood.zones
        yield SUMMARY, bool(flooded)
        for zone in self._zones:
            yield f"{SUMMARY}.{zone}", zone in flooded

    def _bad_points(self, now_s: float) -> Iterator[tuple[str, Value]]:
        """A point that is lost on a device that answers must not go unnoticed: its alarms are frozen."""
        facts = self._pipeline.facts
        for device, points in self._devices.items():
            yield f"{device}.bad_points", sum(not facts.is_known(point.id, now_s) for point in points)

    def _feed(self) -> None:
        late = self.stuck()
        if late != self._late and late:
            log.error("watchdog not fed", stuck=late)
        self._late = late
        if not late:
            notify("WATCHDOG=1")

    def stuck(self) -> str:
        """Return the name of a part that no longer turns, or nothing."""
        now_s = self._clock.now().mono_s
        if self.loop_lag_s > LAG_LIMIT_S:
            return "event loop"
        if not self._pipeline.is_alive():
            return "rules"
        return next((f"outputs on {bus.device}" for bus in self._buses if now_s - bus.beat_s > OUTPUTS_LIMIT_S), "")


def _sample(point: str, value: Value, now: Instant) -> Sample:
    return Sample.good(point, value, now) if value is not None else Sample.bad(point, "it is not known yet", now)
