"""The comparison of two rule sets over a recording, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isinf
from typing import Any

from agent.app.backtest.occurrences import Matched, Occurrences, Span, match, time_in_s
from agent.core.durations import format_duration

_SHOWN = 5
"""Occurrences of one alarm that are shown by their times."""


@dataclass(frozen=True)
class Backtest:
    """``old`` is None when there was nothing to compare with. Times are seconds since ``started_at``."""

    started_at: datetime
    span_s: float
    samples: int
    took_s: float
    new: Occurrences
    old: Occurrences | None
    not_judged: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_cut: bool = False
    tolerance_s: float = 0.001
    gaps: int = 0
    """Damaged places in the recording, whose samples are lost."""

    def matches(self) -> dict[str, Matched]:
        """Compare alarm by alarm, in the order of their ids."""
        old = self.old.spans if self.old is not None else {}
        ids = sorted({*self.new.spans, *old})
        return {id_: match(self.new.spans.get(id_, []), old.get(id_, []), self.tolerance_s) for id_ in ids}

    def differs(self) -> bool:
        """Tell whether anything is raised in one set only, or at another time."""
        return any(each.moved or each.only_new or each.only_old for each in self.matches().values())

    def plain(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "started_at": self.started_at.isoformat(),
            "span_s": round(self.span_s, 3),
            "samples": self.samples,
            "samples_per_s": round(self.samples / self.took_s) if self.took_s else None,
            "is_cut": self.is_cut,
            "gaps": self.gaps,
            "differs": self.differs(),
            "new": self._whole(self.new),
            "old": self._whole(self.old) if self.old is not None else None,
            "alarms": [self._alarm(id_, matched) for id_, matched in self.matches().items()],
            "not_judged": {id_: list(points) for id_, points in self.not_judged.items()},
        }

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        yield f"{self.samples:,} samples over {_span(self.span_s)}, from {self.started_at:%Y-%m-%d %H:%M:%S} UTC"
        if self.gaps:
            yield f"the recording is damaged in {self.gaps} place(s): the samples there are missing"
        if self.is_cut:
            yield "the end of the recording is missing: it was cut off"
        for name, each in (("new", self.new), ("old", self.old)):
            if each is not None:
                counts = ", ".join(f"{priority} {count}" for priority, count in each.by_priority().items())
                yield f"{name}: {counts}; a siren would sound for {_span(each.sounding_s())} if nobody acknowledged"
        for id_, matched in self.matches().items():
            yield from self._lines(id_, matched)
        for id_, points in self.not_judged.items():
            yield f"? {id_}: not judged in full, the recording lacks {', '.join(points)}"

    def _lines(self, id_: str, matched: Matched) -> Iterator[str]:
        old = self.old.spans.get(id_, []) if self.old is not None else []
        both = matched.same + len(matched.moved)
        times = f"{_span(self._time_in(self.new, id_))} in alarm" + (
            f", was {_span(time_in_s(old, self.span_s))}" if old else ""
        )
        if self.old is None:
            yield f"  {id_} ({self._priority(id_)}): {len(matched.only_new)} times, {times}"
        else:
            yield (
                f"{'  ' if not (matched.only_new or matched.only_old or matched.moved) else '! '}{id_} "
                f"({self._priority(id_)}): {both} in both, {len(matched.only_new)} only new, "
                f"{len(matched.only_old)} only old; {times}"
            )
        yield from self._times("+", matched.only_new)
        yield from self._times("-", matched.only_old)
        for new, before in matched.moved[:_SHOWN]:
            yield f"    ~ {self._when(new)}, was {self._when(before)}"

    def _times(self, mark: str, spans: Sequence[Span]) -> Iterator[str]:
        for span in spans[:_SHOWN]:
            yield f"    {mark} {self._when(span)}"
        if len(spans) > _SHOWN:
            yield f"    {mark} and {len(spans) - _SHOWN} more"

    def _when(self, span: Span) -> str:
        start = self.started_at + timedelta(seconds=span.start_s)
        length = "to the end" if isinf(span.end_s) else f"for {_span(span.end_s - span.start_s)}"
        return f"{start:%m-%d %H:%M:%S}.{start.microsecond // 100_000} {length}"

    def _alarm(self, id_: str, matched: Matched) -> dict[str, Any]:
        return {
            "alarm": id_,
            "priority": self._priority(id_),
            "same": matched.same,
            "moved": [{"new": _plain(new), "old": _plain(old)} for new, old in matched.moved],
            "only_new": list(map(_plain, matched.only_new)),
            "only_old": list(map(_plain, matched.only_old)),
            "time_in_s": round(self._time_in(self.new, id_), 3),
            "time_in_before_s": round(self._time_in(self.old, id_), 3) if self.old is not None else None,
        }

    def _whole(self, found: Occurrences) -> dict[str, Any]:
        counts, sounding_s = found.by_priority(), round(found.sounding_s(), 3)
        return {"occurrences": sum(counts.values()), "by_priority": counts, "sounding_s": sounding_s}

    def _time_in(self, found: Occurrences | None, id_: str) -> float:
        return time_in_s(found.spans.get(id_, []), self.span_s) if found is not None else 0.0

    def _priority(self, id_: str) -> str:
        definitions = self.new.definitions if id_ in self.new.definitions or self.old is None else self.old.definitions
        return definitions[id_].priority.name


def _plain(span: Span) -> dict[str, float | None]:
    end_s = None if isinf(span.end_s) else round(span.end_s, 3)
    return {"start_s": round(span.start_s, 3), "end_s": end_s}


def _span(seconds: float) -> str:
    return format_duration(round(seconds, 1)) if seconds < 600 else str(timedelta(seconds=round(seconds)))
