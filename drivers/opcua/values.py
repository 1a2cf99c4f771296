"""OPC UA data values to samples, values to variants, node ids to nodes of one connection. Pure."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaError

from agent.core.model import Instant, Quality, Sample, Value
from drivers.opcua.options import OpcUaPoint
from drivers.scaling import Scaling, to_switch

_GOOD = ua.StatusCode()
_UNCERTAIN = 0b01
_OVERFLOW = 0x480
"""InfoType DataValue with the bit Overflow (Part 4, 7.39.1)."""
_LAST_INDEX = 2**15 - 1
"""The highest namespace index that the library sends in a browse name."""
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


Decode = Callable[[ua.ExtensionObject], Mapping[str, Any]]


def opaque(_: ua.ExtensionObject) -> Mapping[str, Any]:
    """Stand for a decoder where no types are known. Raises ValueError."""
    raise ValueError("the type of this structure is not known")


def to_sample(
    point: str, options: OpcUaPoint, scaling: Scaling, data: ua.DataValue, now: Instant, decode: Decode = opaque
) -> Sample:
    """Return a sample: the two top bits of the status are its quality (Part 4, 7.39); an uncertain value is kept.

    Its time is the source's, or else the server's. The overflow bit tells that the server's queue ran over.
    """
    status = data.StatusCode or _GOOD
    source_time = _time(data.SourceTimestamp) or _time(data.ServerTimestamp)
    if status.is_bad():
        return Sample.bad(point, status.name, now, source_time)
    try:
        raw = data.Value.Value if data.Value is not None else None
        value = _plain(part(raw, options, decode) if options.field or options.element is not None else raw, scaling)
    except ValueError as error:
        return Sample.bad(point, str(error), now, source_time)
    if status.value == 0:
        return Sample(point, value, Quality.GOOD, now.utc, now.mono_s, source_time)
    quality = Quality.UNCERTAIN if status.value >> 30 == _UNCERTAIN else Quality.GOOD
    return Sample(point, value, quality, now.utc, now.mono_s, source_time, _reason(status, quality))


def _time(taken: datetime | None) -> datetime | None:
    """Return a time stamp; 0 and the greatest mean that there is none (Part 6, 5.2.2.5)."""
    return taken.replace(tzinfo=UTC) if taken is not None and 1601 < taken.year < 9999 else None


def part(value: Any, options: OpcUaPoint, decode: Decode = opaque) -> Any:
    """Return the element or field that a point names. Raises ValueError when there is none."""
    for index in options.indexes:
        if not isinstance(value, list) or index >= len(value):
            size = len(value) if isinstance(value, list) else 0
            raise ValueError(f"there is no element {index}; the array has {size}")
        value = value[index]
    for name in filter(None, options.field.split(".")):
        known = _fields(value, decode)
        if name not in known:
            raise ValueError(f"there is no field {name!r}; there is {', '.join(known) or type(value).__name__}")
        value = known[name]
    return value


def _fields(value: Any, decode: Decode) -> Mapping[str, Any]:
    """Return the fields of a structure, none for what is none. Raises ValueError."""
    if isinstance(value, ua.ExtensionObject):
        return decode(value)
    if isinstance(value, Mapping):
        return value
    return {each.name: getattr(value, each.name) for each in fields(value)} if is_dataclass(value) else {}


def to_variant(value: Value, kind: ua.VariantType, scaling: Scaling) -> ua.Variant:
    """Return what to write to a node of type ``kind``. Raises ValueError for a value that does not fit."""
    if kind is ua.VariantType.Boolean:
        return ua.Variant(to_switch(value), kind)
    if kind is ua.VariantType.String and isinstance(value, str):
        return ua.Variant(value, kind)
    form = _INTEGERS.get(kind) or _FLOATS.get(kind)
    if form is None:
        raise ValueError(f"{value!r} cannot be written to a node of type {kind.name}")
    try:
        number = scaling.invert(value) if kind in _FLOATS else scaling.invert_whole(value)
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


def to_browse_path(text: str, namespaces: Sequence[str]) -> ua.BrowsePath:
    """Resolve names separated by slashes, from the root on: ``Objects/2:Boiler`` or ``Objects/nsu=URI:Boiler``.

    A slash in a name or URI is written ``&/``. Raises ValueError when the server has no such namespace.
    """
    path = ua.BrowsePath(StartingNode=ua.NodeId(ua.Int32(ObjectIds.RootFolder)))
    for name in names_of(text):
        element = ua.RelativePathElement()
        element.ReferenceTypeId = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))
        element.IsInverse, element.IncludeSubtypes = False, True  # type: ignore[assignment]
        element.TargetName = _qualified(name, namespaces)
        path.RelativePath.Elements.append(element)
    return path


def names_of(path: str) -> list[str]:
    """Return the names in a path."""
    parts = re.split(r"(?<!&)/", path)
    return [part.replace("&/", "/") for part in parts if part]


def _qualified(name: str, namespaces: Sequence[str]) -> ua.QualifiedName:
    if name.startswith("nsu="):
        uri, _, plain = name.removeprefix("nsu=").rpartition(":")
        if uri not in namespaces:
            raise ValueError(f"the server has no namespace {uri!r}")
        return ua.QualifiedName(plain, ua.UInt16(namespaces.index(uri)))
    index, colon, plain = name.partition(":")
    if not colon or not index.isdecimal():
        return ua.QualifiedName(name)
    if int(index) > _LAST_INDEX:
        raise ValueError(f"the server has no namespace {index}")
    return ua.QualifiedName(plain, ua.UInt16(index))


def _reason(status: ua.StatusCode, quality: Quality) -> str | None:
    overflow = "the server's queue ran over; values are missing" if status.value & _OVERFLOW == _OVERFLOW else ""
    named = status.name if quality is Quality.UNCERTAIN else ""
    return "; ".join(filter(None, (named, overflow))) or None


def readable(text: str) -> str:
    """Return a text that can be stored and shown: what is not UTF-8, which the library hides in it, replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _plain(value: Any, scaling: Scaling) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.isascii() and readable(value) != value:
            raise ValueError(f"the server sent text that is not UTF-8: {readable(value)}")
        return value
    if isinstance(value, int | float):
        return scaling.apply(value)
    if isinstance(value, ua.ExtensionObject | Mapping):
        raise ValueError("a structure is not a plain value; say with 'field' which part of it")
    raise ValueError("the server sent no value" if value is None else f"a {type(value).__name__} is not a plain value")
