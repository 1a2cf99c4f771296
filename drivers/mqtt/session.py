"""A live MQTT session: what topics tell, as samples."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from paho.mqtt.client import topic_matches_sub

from agent.core.errors import NotConnected, Refused
from agent.core.model import Sample, Value
from agent.core.ports import Clock
from drivers.mqtt.judging import Judge, Message
from drivers.mqtt.link import Link
from drivers.mqtt.options import MqttDevice, MqttPoint

log = structlog.get_logger(__name__)
LIFE_S = 1.0
"""A batch at least this often, also when nothing is heard."""
MOST_WAITING = 20_000
"""Samples that wait to be read; beyond, only the last one of each point is kept."""


class MqttSession:
    """See ``agent.core.ports.Session``. ``fetch`` returns what was heard last: a topic cannot be asked."""

    def __init__(self, client_id: str, device: MqttDevice, points: Mapping[str, MqttPoint], clock: Clock) -> None:
        self._clock = clock
        self._judges = {id_: Judge(id_, point) for id_, point in points.items()}
        self._link = Link(device, client_id, self._arrived, self._on_lost)
        self._by_topic: dict[str, list[Judge]] = {}
        self._waiting: list[Sample] = []
        self._last: dict[str, Sample] = {}
        self._wake = asyncio.Event()
        self._lost = ""
        self._patient_until_s = clock.now().mono_s + device.timeout

    async def open(self) -> None:
        """Connect and subscribe. Raises NotConnected."""
        await self._link.open()
        now = self._clock.now()
        self._take(sample for judge in self._judges.values() if (sample := judge.begin(now)))
        topics = list(dict.fromkeys(judge.options.topic for judge in self._judges.values()))
        refused = await self._link.subscribe(topics)
        bad = [judge for judge in self._judges.values() if judge.options.topic in refused]
        self._take(Sample.bad(judge.point, refused[judge.options.topic], now) for judge in bad)

    async def read(self) -> Sequence[Sample]:
        """Return what was heard since the last call, and events that ended; empty as a sign of life."""
        try:
            async with asyncio.timeout(self._patience_s()):
                await self._wake.wait()
        except TimeoutError:
            pass
        if self._lost:
            raise NotConnected(self._lost)
        self._wake.clear()
        now = self._clock.now()
        self._take(sample for judge in self._judges.values() if (sample := judge.release(now)))
        waiting, self._waiting = self._waiting, []
        return waiting

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return what was heard last of these points; just after connecting, wait a little for the first of it."""
        while not self._last.keys() >= set(points) and self._clock.now().mono_s < self._patient_until_s:
            await asyncio.sleep(0.02)
        if self._lost:
            raise NotConnected(self._lost)
        now = self._clock.now()
        return [self._last.get(point) or Sample.bad(point, "nothing was heard of it yet", now) for point in points]

    async def write(self, point: str, value: Value) -> None:
        """Publish; returns when the broker took it. Whether anybody listens is told by what is heard after."""
        if self._lost:
            raise NotConnected(self._lost)
        options = self._judges[point].options
        if not options.publish:
            raise Refused(f"{point} is not 'writable' in the site's file")
        await self._link.publish(options.publish, options.payload.replace("{value}", json.dumps(value)))

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    def _arrived(self, topic: str, payload: bytes, is_retained: bool) -> None:
        message = Message(topic, payload, is_retained, self._clock.now())
        self._take(sample for judge in self._listening(topic) if (sample := judge.judge(message)))

    def _listening(self, topic: str) -> list[Judge]:
        found = self._by_topic.get(topic)
        if found is None:
            found = [j for j in self._judges.values() if topic_matches_sub(j.options.topic, topic)]
            if len(self._by_topic) < MOST_WAITING:
                self._by_topic[topic] = found
        return found

    def _take(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self._waiting.append(sample)
            self._last[sample.point] = sample
            self._wake.set()
        if len(self._waiting) > MOST_WAITING:
            log.warning("more messages than can be read; only the newest of each point is kept")
            self._waiting = list({sample.point: sample for sample in self._waiting}.values())

    def _on_lost(self, reason: str) -> None:
        self._lost = reason
        self._wake.set()

    def _patience_s(self) -> float:
        """Return how long to wait: until an event ends, and no longer than a sign of life may take."""
        ends = [judge.held_until_s for judge in self._judges.values() if judge.held_until_s is not None]
        return max(0.0, min(LIFE_S, *(end - self._clock.now().mono_s for end in ends))) if ends else LIFE_S
