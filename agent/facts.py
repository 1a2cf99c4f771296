"""The latest sample of each point. A value that is too old is unknown, never "still the last value"."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from math import inf
from operator import itemgetter

from agent.core.durations import format_duration
from agent.core.model import PointInfo, Quality, Sample

_POINT = itemgetter(0)


class FactTable:
    """What is known now, of the points that the site declares."""

    def __init__(self, points: Iterable[PointInfo]) -> None:
        self.points = {point.id: point for point in points}
        self._limits_s = {
            id_: info.stale_after_s for id_, info in self.points.items() if info.stale_after_s is not None
        }
        self._samples: dict[str, Sample] = {}
        self._told: dict[str, float] = {}
        """By point: which sample was told to have gone stale, as its time."""
        self._look_again_s = -inf

    def update(self, samples: Iterable[Sample], counted: Container[str] = ()) -> list[Sample]:
        """Take samples in; return those with another value or quality than before, and all of ``counted`` points."""
        latest, limits = self._samples, self._limits_s
        changed = []
        for sample in samples:
            point = sample[0]
            before = latest.get(point)
            latest[point] = sample
            if before is None or before[1] != sample[1] or before[2] is not sample[2] or point in counted:
                changed.append(sample)
            elif point in limits and sample[4] - before[4] > limits[point]:
                changed.append(sample)  # it had gone stale
        return changed

    def note(self, samples: Sequence[Sample]) -> None:
        """Take samples in that are known to change nothing."""
        self._samples.update(zip(map(_POINT, samples), samples, strict=True))

    @property
    def look_again_s(self) -> float:
        """When ``expired`` may have something to tell; before, it has not."""
        return self._look_again_s

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

    def expired(self, now_s: float) -> Sequence[Sample]:
        """Return the points that have gone stale since the last call, as BAD samples."""
        if now_s < self._look_again_s:
            return ()
        self._look_again_s = inf
        found = []
        for point, limit_s in self._limits_s.items():
            sample = self._samples.get(point)
            if sample is None or sample[2] is Quality.BAD:
                continue
            stale_s = sample[4] + limit_s
            if now_s <= stale_s:
                self._look_again_s = min(self._look_again_s, stale_s)
            elif self._told.get(point) != sample[4]:
                self._told[point] = sample[4]
                found.append(_stale(sample, now_s - sample.received_s))
        self._look_again_s = min(self._look_again_s, now_s + min(self._limits_s.values(), default=inf))
        return found

    def _is_stale(self, sample: Sample, now_s: float) -> bool:
        if sample[2] is Quality.BAD:
            return False  # nothing is older than unknown, and why it is unknown must not be lost
        limit_s = self._limits_s.get(sample.point)
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
