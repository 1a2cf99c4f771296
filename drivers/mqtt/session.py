"""A live MQTT session: what topics tell, as samples."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from paho.mqtt.client import topic_matches_sub

from agent.core.durations import format_duration
from agent.core.errors import NotConnected, Refused
from agent.core.model import Instant, Sample, Value
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

    def __init__(
        self,
        client_id: str,
        device: MqttDevice,
        points: Mapping[str, MqttPoint],
        clock: Clock,
        held: dict[str, float],
        patience_s: float,
    ) -> None:
        """``held`` has the events that are held, until when (monotonic); the next session begins with them."""
        self._clock, self._held = clock, held
        self._judges = {id_: Judge(id_, point) for id_, point in points.items()}
        self._events = [judge for judge in self._judges.values() if judge.options.is_event]
        self._link = Link(device, client_id, self._arrived, self._on_lost)
        self._by_topic: dict[str, list[Judge]] = {}
        self._waiting: list[Sample] = []
        self._last: dict[str, Sample] = {}
        self._wake = asyncio.Event()
        self._lost = ""
        self._patience_for_first_s, self._patient_until_s = patience_s, 0.0

    async def open(self) -> None:
        """Connect and subscribe. Raises NotConnected."""
        now = self._clock.now()
        for judge in self._events:
            until_s = self._held.pop(judge.point, 0.0)
            judge.held_until_s = until_s if until_s > now.mono_s else None
        self._take(sample for judge in self._events if (sample := judge.begin(now)))
        await self._link.open()  # from here on the broker may send what it kept for us
        topics = list(dict.fromkeys(judge.options.topic for judge in self._judges.values()))
        refused = await self._link.subscribe(topics)
        now = self._clock.now()
        bad = [judge for judge in self._judges.values() if judge.options.topic in refused]
        self._take(Sample.bad(judge.point, refused[judge.options.topic], now) for judge in bad)
        self._patient_until_s = now.mono_s + self._patience_for_first_s

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
        self._take(sample for judge in self._events if (sample := judge.release(now)))
        waiting, self._waiting = self._waiting, []
        return waiting

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Return what was heard last of these points; just after connecting, wait a little for the first of it."""
        while not self._last.keys() >= set(points) and self._clock.now().mono_s < self._patient_until_s:
            await asyncio.sleep(0.02)
        if self._lost:
            raise NotConnected(self._lost)
        now = self._clock.now()
        return [self._known(point, now) for point in points]

    async def write(self, point: str, value: Value) -> None:
        """Publish; returns when the broker took it. Whether anybody listens is told by what is heard after."""
        if self._lost:
            raise NotConnected(self._lost)
        judge = self._judges[point]
        if not judge.options.publish:
            raise Refused(f"{point} is not 'writable' in the site's file")
        try:
            text = json.dumps(judge.raw(value), ensure_ascii=False)
        except ValueError as error:
            raise Refused(str(error)) from error
        await self._link.publish(judge.options.publish, judge.options.payload.replace("{value}", text))

    async def close(self) -> None:
        """Disconnect."""
        self._held.update((each.point, each.held_until_s) for each in self._events if each.held_until_s is not None)
        await self._link.close()

    def _known(self, point: str, now: Instant) -> Sample:
        """Return what was heard last; what is too old is unknown, never "still the last value"."""
        last, limit_s = self._last.get(point), self._judges[point].options.silence_s
        if last is None:
            return Sample.bad(point, "nothing was heard of it yet", now)
        age_s = now.mono_s - last.received_s
        if limit_s is None or age_s <= limit_s:
            return last
        return Sample.bad(point, f"nothing was heard of it for {format_duration(round(age_s))}", now, last.source_time)

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
        self._lost = self._lost or reason  # the first one says why
        self._wake.set()

    def _patience_s(self) -> float:
        """Return how long to wait: until an event ends, and no longer than a sign of life may take."""
        ends = [judge.held_until_s for judge in self._events if judge.held_until_s is not None]
        return max(0.0, min(LIFE_S, *(end - self._clock.now().mono_s for end in ends))) if ends else LIFE_S
