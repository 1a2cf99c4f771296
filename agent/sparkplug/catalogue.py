"""Which points are metrics of what: their names, aliases and types, and how a sample of them is published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from agent.core.model import Instant, PointInfo, Sample
from agent.sparkplug.values import BAD, Metric, Type, millis, quality_of, type_of


@dataclass
class Entry:
    """One point as a metric. ``type`` is None until it had a value; an unknown one is announced as a double."""

    point: PointInfo
    device: str
    name: str
    alias: int
    is_writable: bool
    type: Type | None = None
    announced: Type | None = None
    """The type in the last birth."""

    def widen(self, sample: Sample) -> bool:
        """Take note of a value's type; tell whether the last birth is no longer true."""
        self.type = type_of(sample.value, self.type)
        return self.announced is not None and sample.value is not None and self.type is not self.announced

    def is_stale(self, sample: Sample, now: Instant) -> bool:
        """Tell whether a sample says no more than that nothing has come for too long."""
        limit_s = self.point.stale_after_s
        return sample.value is None and limit_s is not None and now.mono_s - sample.received_s > limit_s

    def metric(self, sample: Sample, now: Instant, is_historical: bool = False) -> Metric:
        """Return a sample as a metric. What went stale is of the moment at which it did."""
        is_stale = self.is_stale(sample, now) and not is_historical
        stamp_ms = millis(sample.source_time or sample.received_at)
        if is_stale and self.point.stale_after_s is not None:
            stamp_ms = millis(sample.received_at) + round(self.point.stale_after_s * 1000)
        kind, quality = self.announced or Type.DOUBLE, quality_of(sample, is_stale)
        return Metric(self.name, self.alias, kind, sample.value, quality, stamp_ms, is_historical)


class Catalogue:
    """Every metric that will ever be published: fixed for the life of the node, as are the aliases."""

    def __init__(self, points: Iterable[PointInfo], devices: Collection[str], writable: Collection[str]) -> None:
        self.devices = tuple(devices)
        found = [(point, *_split(point.id, self.devices)) for point in points]
        self.entries = {
            point.id: Entry(point, device, name, alias, point.id in writable)
            for alias, (point, device, name) in enumerate(found, 1)
            if not (device and name == "online")  # births and deaths tell that
        }
        self._by_alias = {entry.alias: entry for entry in self.entries.values()}
        self._by_name = {(entry.device, entry.name): entry for entry in self.entries.values()}

    def of(self, device: str) -> Iterator[Entry]:
        """Yield the metrics of a device, or of the node itself."""
        return (entry for entry in self.entries.values() if entry.device == device)

    def writable_devices(self) -> list[str]:
        """Return the devices that have a metric which may be written."""
        return sorted({entry.device for entry in self.entries.values() if entry.is_writable})

    def find(self, device: str, name: str, alias: int | None) -> Entry | None:
        """Return the metric that a command names."""
        entry = self._by_alias.get(alias) if alias is not None else self._by_name.get((device, name))
        return entry if entry is not None and entry.device == device else None

    def forget(self, device: str | None = None) -> None:
        """Take what a device (None: all, and the node itself) announced as said no more."""
        for entry in self.entries.values():
            if device is None or entry.device == device:
                entry.announced = None

    def births(self, device: str, get: Callable[[str], Sample | None], now: Instant) -> list[Metric]:
        """Return all metrics of a device with their present values, and take note of what is announced."""
        return [self._birth(entry, get(entry.point.id), now) for entry in self.of(device)]

    def _birth(self, entry: Entry, sample: Sample | None, now: Instant) -> Metric:
        if sample is not None:
            entry.widen(sample)
        entry.announced = entry.type or Type.DOUBLE
        texts = {"engUnit": entry.point.unit, "documentation": entry.point.description}
        properties = {key: text for key, text in texts.items() if text}
        if sample is None:
            unknown = Metric(entry.name, entry.alias, entry.announced, None, BAD, millis(now.utc))
            return unknown._replace(properties=properties)
        return entry.metric(sample, now)._replace(properties=properties)

    def outgrown(self, samples: Iterable[Sample]) -> bool:
        """Take note of the types of these values; tell whether the last births are no longer true of one."""
        entries = self.entries
        return sum(entries[sample[0]].widen(sample) for sample in samples if sample[0] in entries) > 0

    def data(self, samples: Iterable[Sample], now: Instant, *, is_historical: bool) -> list[Metric]:
        """Return samples as metrics by alias, in the order of their time.

        Raises ValueError for a value that the last birth has no room for: be born again before it is told.
        """
        samples = list(samples)
        if self.outgrown(samples):
            raise ValueError("a value is of a wider type than the last birth says")
        found = (self.entries[sample.point].metric(sample, now, is_historical) for sample in samples)
        return sorted(found, key=_stamp)


def _stamp(metric: Metric) -> int:
    return metric.stamp_ms


def _split(point: str, devices: Collection[str]) -> tuple[str, str]:
    """Return a point's device ("" for the node itself) and its name there, with / between its parts."""
    device, _, name = point.partition(".")
    own, text = (device, name) if device in devices else ("", point)
    return own, text.replace(".", "/")
