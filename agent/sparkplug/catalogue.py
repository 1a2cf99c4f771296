"""Which points are metrics of what: their names, aliases and types, and how a sample of them is published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from agent.core.model import Instant, PointInfo, Sample
from agent.sparkplug.values import Metric, Type, millis, quality_of, type_of


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

    def find(self, device: str, name: str, alias: int | None) -> Entry | None:
        """Return the metric that a command names."""
        entry = self._by_alias.get(alias) if alias is not None else self._by_name.get((device, name))
        return entry if entry is not None and entry.device == device else None

    def births(self, device: str, get: Callable[[str], Sample | None], now: Instant) -> list[Metric]:
        """Return all metrics of a device with their present values, and take note of what is announced."""
        return sorted((self._birth(entry, get(entry.point.id), now) for entry in self.of(device)), key=_stamp)

    def _birth(self, entry: Entry, sample: Sample | None, now: Instant) -> Metric:
        if sample is not None:
            entry.widen(sample)
        entry.announced = entry.type or Type.DOUBLE
        texts = {"engUnit": entry.point.unit, "documentation": entry.point.description}
        properties = {key: text for key, text in texts.items() if text}
        stamp_ms = taken_ms(sample) if sample is not None else millis(now.utc)
        value = sample.value if sample is not None else None
        return Metric(entry.name, entry.alias, entry.announced, value, quality_of(sample), stamp_ms, False, properties)

    def data(self, samples: Iterable[Sample], *, is_historical: bool) -> list[Metric]:
        """Return samples as metrics by alias, in the order of their time."""
        found = (self._data(self.entries[sample.point], sample, is_historical) for sample in samples)
        return sorted(found, key=_stamp)

    def _data(self, entry: Entry, sample: Sample, is_historical: bool) -> Metric:
        kind = entry.announced or Type.DOUBLE
        return Metric(entry.name, entry.alias, kind, sample.value, quality_of(sample), taken_ms(sample), is_historical)


def taken_ms(sample: Sample) -> int:
    """Return when a value was taken, in ms: as the device says, or else when it came."""
    return millis(sample.source_time or sample.received_at)


def _stamp(metric: Metric) -> int:
    return metric.stamp_ms


def _split(point: str, devices: Collection[str]) -> tuple[str, str]:
    """Return a point's device ("" for the node itself) and its name there, with / between its parts."""
    device, _, name = point.partition(".")
    own, text = (device, name) if device in devices else ("", point)
    return own, text.replace(".", "/")
