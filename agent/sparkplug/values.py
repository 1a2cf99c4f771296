"""Samples as Sparkplug metrics: data types, qualities, payloads. Nothing here knows of a connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from google.protobuf.message import DecodeError

from agent.core.model import Quality, Sample, Value
from agent.sparkplug.sparkplug_b_pb2 import Payload


class Type(IntEnum):
    """The data types of the public definition that we publish."""

    INT32 = 3
    INT64 = 4
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12


_UINT64 = 1 << 64
_INT64_END = 1 << 63
_WIDER = (Type.BOOLEAN, Type.INT64, Type.DOUBLE, Type.STRING)
"""Each holds what those before it can."""
STALE, GOOD, BAD = 500, 192, 0
"""Codes of the Quality property."""


class Metric(NamedTuple):
    """One metric to publish. ``name`` and ``type`` go into births, ``alias`` where there is one."""

    name: str
    alias: int | None
    type: Type
    value: Value
    quality: int
    stamp_ms: int
    is_historical: bool = False
    properties: Mapping[str, str] = {}


def millis(moment: datetime) -> int:
    """Return milliseconds since 1970 (UTC)."""
    return max(0, round(moment.timestamp() * 1000))


def type_of(value: Value, before: Type | None) -> Type | None:
    """Return the narrowest type for ``value`` that is no narrower than ``before``; types only ever widen."""
    found = _narrowest(value)
    if found is None or before is None:
        return found or before
    return max(found, before, key=_WIDER.index)


def _narrowest(value: Value) -> Type | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return Type.BOOLEAN
    if isinstance(value, int):
        return Type.INT64 if -_INT64_END <= value < _INT64_END else Type.DOUBLE
    return Type.DOUBLE if isinstance(value, float) else Type.STRING


def quality_of(sample: Sample, is_stale: bool) -> int:
    """Return the code of the Quality property: only good, bad and stale exist, and uncertain counts as stale."""
    if is_stale or sample.quality is Quality.UNCERTAIN:
        return STALE
    return GOOD if sample.quality is Quality.GOOD else BAD


def encode(metrics: Iterable[Metric], stamp_ms: int | None, seq: int | None, *, births: bool) -> bytes:
    """Return a payload; in births metrics are named, typed and described, elsewhere known by their alias."""
    payload = Payload()
    if stamp_ms is not None:
        payload.timestamp = stamp_ms
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        _fill(payload.metrics.add(), metric, births)
    body: bytes = payload.SerializeToString()
    return body


def _fill(made: Payload.Metric, metric: Metric, births: bool) -> None:
    if births or metric.alias is None:
        made.name, made.datatype = metric.name, metric.type
    if metric.alias is not None:
        made.alias = metric.alias
        _quality(made.properties, metric.quality)
    made.timestamp = metric.stamp_ms
    if metric.is_historical:
        made.is_historical = True
    for key, text in metric.properties.items() if births else ():
        made.properties.keys.append(key)
        made.properties.values.add(type=Type.STRING, string_value=text)
    _put(made, metric.type, metric.value)


def _quality(properties: Payload.PropertySet, code: int) -> None:
    properties.keys.append("Quality")
    properties.values.add(type=Type.INT32, int_value=code)


def _put(made: Payload.Metric, kind: Type, value: Value) -> None:
    if value is None:
        made.is_null = True
    elif kind is Type.BOOLEAN:
        made.boolean_value = bool(value)
    elif kind is Type.INT64:
        made.long_value = int(value) % _UINT64
    elif kind is Type.DOUBLE:
        made.double_value = float(value)
    else:
        made.string_value = str(value)


class Command(NamedTuple):
    """What a host asks for one metric, named or by alias; ``value`` None: none that we know."""

    name: str
    alias: int | None
    value: Value
    is_long: bool = False


def decode(body: bytes) -> tuple[int | None, list[Command]]:
    """Return when a command was sent (ms) and what it asks. Raises ValueError for what is no payload."""
    try:
        payload = Payload.FromString(body)
    except DecodeError as error:
        raise ValueError(f"no Sparkplug payload: {error}") from error
    stamp_ms = payload.timestamp if payload.HasField("timestamp") else None
    return stamp_ms, [_command(metric) for metric in payload.metrics]


def _command(metric: Payload.Metric) -> Command:
    held = metric.WhichOneof("value")
    value = getattr(metric, held) if held and not metric.is_null and held != "bytes_value" else None
    alias = metric.alias if metric.HasField("alias") else None
    return Command(metric.name, alias, value, held == "long_value")


def wanted(command: Command, kind: Type | None) -> Value:
    """Return the value to write to a point of type ``kind``. Raises ValueError when it is not compatible."""
    value = command.value
    if value is None:
        raise ValueError("it has no value")
    if isinstance(value, int) and not isinstance(value, bool):
        value = _signed(value, command.is_long)
    fits = type_of(value, None)
    if kind is not None and fits is not kind and (kind, fits) != (Type.DOUBLE, Type.INT64):
        raise ValueError(f"{value!r} is no {kind.name.lower()}")
    if isinstance(value, float) and value - value != 0.0:
        raise ValueError(f"{value!r} is not finite")
    return value


def _signed(value: int, is_long: bool) -> int:
    """Return a number that may be a two's complement; with 32 bits nobody could tell which it is."""
    if is_long:
        return value - _UINT64 if value >= _INT64_END else value
    if value >= 1 << 31:
        raise ValueError("a negative or large number must come as Int64")
    return value
