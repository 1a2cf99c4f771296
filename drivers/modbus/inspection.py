"""Every way to understand the octets behind a point, for who commissions it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from agent.core.model import Value
from agent.core.ports import Inspection, Reading
from drivers.modbus.codec import Codec, Octets
from drivers.modbus.options import ModbusPoint

_KINDS = {
    1: ("int16", "uint16", "bcd16"),
    2: ("float32", "int32", "uint32", "bcd32"),
    4: ("float64", "int64", "uint64", "bcd64"),
}
_ORDERS = {
    1: ("ABCD", "BADC"),
    2: ("ABCD", "CDAB", "BADC", "DCBA"),
    4: ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD", "DCBAHGFE", "FEHGBADC"),
}
_ALIKE = {"ABCDEFGH": "ABCD", "GHEFCDAB": "CDAB", "BADCFEHG": "BADC", "HGFEDCBA": "DCBA"}


def inspection(point: str, options: ModbusPoint, raw: bytes) -> Inspection:
    """Return what ``raw`` may mean. Scale and offset are applied, as the point asks for them."""
    return Inspection(point, raw, list(_readings(options, raw)) if raw else [])


def _readings(options: ModbusPoint, raw: bytes) -> Iterator[Reading]:
    octets = Octets.of(raw)
    kinds = _KINDS.get(options.count, ()) if options.kind not in ("bool", "string") else (options.kind,)
    for kind in kinds:
        for order in _orders(kind, options.count):
            meant = options.model_copy(update={"type": kind, "word_order": order, "values": {}, "clamp": None})
            is_set = kind == options.kind and order in (options.word_order, _long(options))
            yield _reading(f"{kind} {order}" if options.count > 1 or order != "ABCD" else kind, meant, octets, is_set)


def _orders(kind: str, count: int) -> tuple[str, ...]:
    return ("ABCD", "BADC") if kind == "string" else ("ABCD",) if kind == "bool" else _ORDERS[count]


def _long(options: ModbusPoint) -> str:
    """Return the name with eight letters of a word order that was given with four."""
    return next((long for long, short in _ALIKE.items() if short == options.word_order and options.count == 4), "")


def _reading(how: str, meant: ModbusPoint, octets: Octets, is_set: bool) -> Reading:
    try:
        value = Codec(meant).decode(octets, 0)
    except ValueError as error:
        return Reading(f"{how}: {error}", None, False, is_set)
    return Reading(how, value, _is_plausible(meant.kind, value), is_set)


def _is_plausible(kind: str, value: Value) -> bool:
    """Tell whether a plant is likely to send such a value: no tiny or huge float, no integer near its type's ends."""
    if isinstance(value, str):
        return value.isprintable() and bool(value)
    if kind.startswith("float") and isinstance(value, int | float):
        return value == 0 or 1e-6 < math.fabs(value) < 1e9
    if kind in ("int32", "uint32", "int64", "uint64") and isinstance(value, int | float):
        return math.fabs(value) < 10_000_000
    return True
