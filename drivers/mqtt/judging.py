"""What a message says of a point. Pure but for what was heard before; time comes with the message."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.core.durations import format_duration
from agent.core.model import Instant, Quality, Sample, Value
from drivers.mqtt.options import MqttPoint
from drivers.mqtt.paths import follow
from drivers.mqtt.polygon import is_inside
from drivers.scaling import Scaling

_AHEAD = timedelta(minutes=5)
"""A message from further in the future comes from a wrong clock, theirs or ours."""
LONGEST_TEXT = 4096
"""Characters of a text that is a value; what is longer is a picture or a document, and would burden all who hold it."""
MOST_TOPICS = 10_000
"""So many topics below one wildcard have an order of their own; those that were heard last."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker delivered, and when."""

    topic: str
    payload: bytes
    is_retained: bool
    at: Instant


class Judge:
    """Turns the messages of one point into samples."""

    def __init__(self, point: str, options: MqttPoint) -> None:
        self.point, self.options = point, options
        self.held_until_s: float | None = None
        """A held event becomes false again then (monotonic); None: none is held."""
        self._scaling = Scaling.of(options)
        self._newest: dict[str, datetime] = {}

    def begin(self, now: Instant) -> Sample | None:
        """Return what is known without a message: that no event has happened, or that one is still held."""
        if not self.options.is_event:
            return None
        return Sample.good(self.point, self.held_until_s is not None and now.mono_s < self.held_until_s, now)

    def raw(self, value: Value) -> Value:
        """Return what to write so that ``value`` is read back. Raises ValueError for what cannot be."""
        if not self._scaling.is_identity:
            number = float(f"{self._scaling.invert(value):.12g}")
            return int(number) if number.is_integer() else number
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value!r} is no number")
        return value

    def judge(self, message: Message) -> Sample | None:
        """Return the sample of a message; None where it tells nothing: it is older than what is known, or held back."""
        try:
            data = _parse(message.payload)
            value = self._value(data)
        except LookupError as error:
            return None if self.options.missing == "ignore" else self._bad(message, str(error))
        except ValueError as error:
            return self._bad(message, str(error))
        try:
            return self._timed(message, value, self._time(data))
        except (LookupError, ValueError) as error:
            return self._bad(message, str(error))

    @property
    def known_topics(self) -> int:
        """How many topics have an order of their own."""
        return len(self._newest)

    def release(self, now: Instant) -> Sample | None:
        """Return the end of a held event, once it is due."""
        if self.held_until_s is None or now.mono_s < self.held_until_s:
            return None
        self.held_until_s = None
        return Sample.good(self.point, False, now)

    def _held(self, sample: Sample, now_s: float) -> Sample | None:
        if self.options.hold is None:
            return sample
        if sample.value is True:
            self.held_until_s = now_s + self.options.hold
            return sample
        return None if self.held_until_s is not None else sample

    def _timed(self, message: Message, value: Value, taken: datetime | None) -> Sample | None:
        now, quality, reason = message.at, Quality.GOOD, None
        if taken is None and message.is_retained:
            quality, reason = Quality.UNCERTAIN, "a retained message, of unknown age"
        elif taken is not None:
            if taken < self._newest.get(message.topic, taken):
                return None
            age = now.utc - taken
            if age.total_seconds() > self.options.max_age:
                if message.is_retained and self.options.is_event:
                    return None  # the broker keeps what happened once; it does not happen now
                raise ValueError(f"the message is {format_duration(round(age.total_seconds()))} old")
            if age < -_AHEAD:
                quality, reason = Quality.UNCERTAIN, "the message is from the future; look at the clocks"
            self._remember(message.topic, min(taken, now.utc))
        return self._held(Sample(self.point, value, quality, now.utc, now.mono_s, taken, reason), now.mono_s)

    def _remember(self, topic: str, taken: datetime) -> None:
        """Never a time ahead of ours: a gadget whose clock is set right afterwards would not be heard any more."""
        self._newest.pop(topic, None)
        if len(self._newest) >= MOST_TOPICS:
            del self._newest[next(iter(self._newest))]
        self._newest[topic] = taken

    def _value(self, data: Any) -> Value:
        options = self.options
        if options.inside is not None:
            x, y = (_number(follow(data, path)) for path in (options.inside.x, options.inside.y))
            return is_inside(x, y, options.inside.polygon)
        found = follow(data, options.path)
        if isinstance(found, dict | list) or found is None:
            raise ValueError(f"at {options.path or 'the top'} is no single value")
        if options.true_when is not None:
            return any(_is_alike(found, each) for each in options.true_when)
        return self._typed(found)

    def _typed(self, found: Any) -> Value:
        kind = "bool" if self.options.is_event else self.options.type
        if kind == "string":
            return _text(found) if isinstance(found, str) else json.dumps(found)
        if kind == "bool":
            return _switch(found)
        if kind == "number" or self.options.values or (isinstance(found, int | float) and not isinstance(found, bool)):
            return self._scaling.apply(_number(found))
        return bool(found) if isinstance(found, bool) else _text(str(found))

    def _time(self, data: Any) -> datetime | None:
        if not self.options.time:
            return None
        found = follow(data, self.options.time)
        try:
            if self.options.time_format == "iso":
                taken = datetime.fromisoformat(str(found))
                return taken.astimezone(UTC) if taken.tzinfo else taken.replace(tzinfo=UTC)
            return datetime.fromtimestamp(_number(found) / (1000 if self.options.time_format == "ms" else 1), UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError(
                f"{str(found)[:40]!r} at {self.options.time} is no time ({self.options.time_format})"
            ) from None

    def _bad(self, message: Message, reason: str) -> Sample | None:
        return self._held(Sample.bad(self.point, f"{message.topic[:200]}: {reason}", message.at), message.at.mono_s)


def _parse(payload: bytes) -> Any:
    """Return JSON, or text that is none: many gadgets send a bare number or word."""
    text = payload.decode("utf-8", errors="replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text[:1] in ("{", "["):
            raise ValueError(f"the payload is broken JSON ({len(payload)} octets)") from None
        return text


def _text(found: str) -> str:
    """Return a text that can be written to a file: JSON can hold halves of characters. Raises ValueError."""
    if len(found) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(found)} characters is no value; the longest has {LONGEST_TEXT}")
    return found.encode(errors="replace").decode()


def _is_alike(found: Any, wanted: bool | int | float | str) -> bool:
    """Compare as people mean it: 1 is 1.0 and "1", but not true."""
    if isinstance(wanted, str):
        return wanted == (found if isinstance(found, str) else json.dumps(found))
    return bool(found == wanted) and isinstance(found, bool) is isinstance(wanted, bool)


def _number(found: Any) -> float | int:
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise ValueError(f"{str(found)[:40]!r} is no number")
    try:
        number = float(found)  # an int may be too large for any float
    except (ValueError, OverflowError):
        raise ValueError(f"{str(found)[:40]!r} is no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{str(found)[:40]} is no number")
    return found if isinstance(found, int) else number


def _switch(found: Any) -> bool:
    words = {"true": True, "on": True, "1": True, "yes": True, "false": False, "off": False, "0": False, "no": False}
    key = str(found).strip().lower()
    if key not in words:
        raise ValueError(f"{str(found)[:40]!r} is neither true nor false; say with 'true_when' what is")
    return words[key]
