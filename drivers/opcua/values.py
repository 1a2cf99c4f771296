"""OPC UA data values to samples, values to variants, node ids to nodes of one connection. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from asyncua import ua
from asyncua.ua.uaerrors import UaError

from agent.core.model import Instant, Quality, Sample, Value
from drivers.scaling import Scaling, to_switch

_UNCERTAIN = 0b01
_INTEGERS = {
    ua.VariantType.SByte: "b",
    ua.VariantType.Byte: "B",
    ua.VariantType.Int16: "h",
    ua.VariantType.UInt16: "H",
    ua.VariantType.Int32: "i",
    ua.VariantType.UInt32: "I",
    ua.VariantType.Int64: "q",
    ua.VariantType.UInt64: "Q",
}
_FLOATS = {ua.VariantType.Float: "f", ua.VariantType.Double: "d"}


def to_sample(point: str, data: ua.DataValue, scaling: Scaling, now: Instant) -> Sample:
    """Return a sample: the two top bits of the status are its quality (Part 4, 7.39); an uncertain value is kept."""
    status = data.StatusCode or ua.StatusCode()
    source_time = data.SourceTimestamp.replace(tzinfo=UTC) if data.SourceTimestamp else None
    if status.is_bad():
        return Sample.bad(point, status.name, now, source_time)
    try:
        value = _plain(data.Value.Value if data.Value is not None else None, scaling)
    except ValueError as error:
        return Sample.bad(point, str(error), now, source_time)
    is_uncertain = status.value >> 30 == _UNCERTAIN
    quality = Quality.UNCERTAIN if is_uncertain else Quality.GOOD
    return Sample(point, value, quality, now.utc, now.mono_s, source_time, status.name if is_uncertain else None)


def to_variant(value: Value, kind: ua.VariantType, scaling: Scaling) -> ua.Variant:
    """Return what to write to a node of type ``kind``. Raises ValueError for a value that does not fit."""
    if kind is ua.VariantType.Boolean:
        return ua.Variant(to_switch(value), kind)
    if kind is ua.VariantType.String and isinstance(value, str):
        return ua.Variant(value, kind)
    form = _INTEGERS.get(kind) or _FLOATS.get(kind)
    if form is None:
        raise ValueError(f"{value!r} cannot be written to a node of type {kind.name}")
    raw = scaling.invert(value)
    number = raw if kind in _FLOATS else round(raw)
    try:
        struct.pack(f"<{form}", number)
    except (struct.error, OverflowError):
        raise ValueError(f"{value!r} does not fit into {kind.name}") from None
    return ua.Variant(number, kind)


def to_node_id(text: str, namespaces: Sequence[str]) -> ua.NodeId:
    """Resolve ``nsu=URI;…``. Raises ValueError when the server has no such namespace, or for what is no node id."""
    if text.startswith("nsu="):
        uri, rest = text.removeprefix("nsu=").split(";", 1)
        if uri not in namespaces:
            raise ValueError(f"the server has no namespace {uri!r}")
        text = f"ns={namespaces.index(uri)};{rest}"
    try:
        return ua.NodeId.from_string(text)
    except UaError as error:
        raise ValueError(f"{text!r} is not a node id: {error}") from error


def _plain(value: Any, scaling: Scaling) -> Value:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return scaling.apply(value)
    raise ValueError("the server sent no value" if value is None else f"a {type(value).__name__} is not a plain value")
