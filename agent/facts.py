"""The latest sample of each point. A sample that is too old is unknown, never "still the last value"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.core.durations import format_duration
from agent.core.model import PointInfo, Quality, Sample


class FactTable:
    """What is known now, of the points that the site declares."""

    def __init__(self, points: Iterable[PointInfo]) -> None:
        self.points = {point.id: point for point in points}
        self._samples: dict[str, Sample] = {}

    def update(self, samples: Iterable[Sample]) -> set[str]:
        """Take samples in; return the points whose value or quality is another than it was."""
        changed = set()
        for sample in samples:
            before = self._samples.get(sample.point)
            self._samples[sample.point] = sample
            if before is None or self._differs(before, sample):
                changed.add(sample.point)
        return changed

    def get(self, point: str, now_s: float) -> Sample | None:
        """Return the newest sample of ``point``; BAD when it is stale at ``now_s``; None when never seen."""
        sample = self._samples.get(point)
        if sample is None or not self._is_stale(sample, now_s):
            return sample
        return _stale(sample, now_s - sample.received_s)

    def is_known(self, point: str, now_s: float) -> bool:
        """Tell whether the point has a value now."""
        sample = self._samples.get(point)
        return sample is not None and sample.value is not None and not self._is_stale(sample, now_s)

    def all(self, now_s: float) -> Iterator[tuple[PointInfo, Sample | None]]:
        """Yield every declared point with its sample, in the order of declaration."""
        for id_, point in self.points.items():
            yield point, self.get(id_, now_s)

    def _differs(self, before: Sample, after: Sample) -> bool:
        if before.value != after.value or before.quality is not after.quality:
            return True
        return self._is_stale(before, after.received_s)

    def _is_stale(self, sample: Sample, now_s: float) -> bool:
        info = self.points.get(sample.point)
        limit_s = info.stale_after_s if info is not None else None
        return limit_s is not None and now_s - sample.received_s > limit_s


def _stale(sample: Sample, age_s: float) -> Sample:
    """``received_s`` stays that of the last real sample, so that its age stays true."""
    return Sample(
        sample.point,
        None,
        Quality.BAD,
        sample.received_at,
        sample.received_s,
        sample.source_time,
        f"stale: no sample for {format_duration(round(age_s, 1))}",
    )
