"""The quick way to read a block agrees with reading its points one by one."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.model import Instant, Quality, Sample
from drivers.modbus.codec import Codec, Octets
from drivers.modbus.inspection import inspection
from drivers.modbus.options import ModbusPoint
from drivers.modbus.plan import Block, Span
from drivers.modbus.reader import Wired, reader_of

NOW = Instant(1.0, datetime(2026, 1, 1, tzinfo=UTC))
LONG = ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "EFGHABCD", "DCBAHGFE", "FEHGBADC"]
SHORT = ["ABCD", "CDAB", "BADC", "DCBA"]


def point(offset: int, **options: object) -> ModbusPoint:
    return ModbusPoint.model_validate({"address": {"table": "holding", "offset": offset}, **options})


@st.composite
def points(draw: st.DrawFn) -> ModbusPoint:
    offset = draw(st.integers(min_value=0, max_value=30))
    kind = draw(st.sampled_from(["bool", "uint16", "int32", "float32", "float64", "uint64", "bcd16", "string"]))
    if kind == "bool":
        return point(offset, bit=draw(st.integers(min_value=0, max_value=15)))
    if kind == "string":
        return point(offset, type=kind, length=3, word_order=draw(st.sampled_from(["ABCD", "BADC"])))
    order = draw(st.sampled_from(SHORT + (LONG if kind in ("float64", "uint64") else [])))
    scale = draw(st.sampled_from([1.0, 0.1]))
    return point(offset, type=kind, word_order=order, scale=scale)


def block_of(options: list[ModbusPoint]) -> tuple[Block, dict[str, Wired]]:
    wired = {}
    for number, each in enumerate(sorted(options, key=lambda p: (p.address.offset, p.count))):
        span = Span(each.address.table, each.address.offset, each.count, f"plc.{number}")
        wired[span.point] = Wired(each, Codec(each), span)
    spans = tuple(wire.span for wire in wired.values())
    first, end = min(span.offset for span in spans), max(span.end for span in spans)
    return Block(spans[0].table, first, end - first, spans), wired


def one_by_one(block: Block, wired: dict[str, Wired], data: bytes) -> dict[str, Sample]:
    found = {}
    for span in block.spans:
        try:
            value = wired[span.point].codec.decode(Octets.of(data), span.offset - block.offset)
            found[span.point] = Sample.good(span.point, value, NOW)
        except ValueError as error:
            found[span.point] = Sample.bad(span.point, str(error), NOW)
    return found


@settings(max_examples=300)
@given(st.lists(points(), min_size=1, max_size=25), st.data())
def test_a_block_is_read_as_its_points_are(options: list[ModbusPoint], data: st.DataObject) -> None:
    block, wired = block_of(options)
    octets = data.draw(st.binary(min_size=2 * block.count, max_size=2 * block.count))
    samples = reader_of(block, wired).read(octets, NOW)
    assert {sample.point: sample for sample in samples} == one_by_one(block, wired, octets)
    assert len(samples) == len(block.spans)


def test_one_number_that_is_none_hurts_no_other() -> None:
    block, wired = block_of([point(0, type="float32"), point(2, type="float32"), point(4)])
    samples = reader_of(block, wired).read(struct.pack(">ffH", float("nan"), 1.5, 7), NOW)
    assert [(sample.value, sample.quality) for sample in samples] == [
        (None, Quality.BAD), (1.5, Quality.GOOD), (7, Quality.GOOD),
    ]  # fmt: skip


@given(st.sampled_from(LONG), st.floats(allow_nan=False, allow_infinity=False))
def test_the_orders_of_64_bits_name_the_octets_as_they_arrive(order: str, value: float) -> None:
    octets = dict(zip("ABCDEFGH", struct.pack(">d", value), strict=True))
    arrived = bytes(octets[letter] for letter in order)
    codec = Codec(point(0, type="float64", word_order=order))
    assert codec.decode(Octets.of(arrived), 0) == value
    assert codec.encode(value) == list(struct.unpack(">4H", arrived))


def test_words_clamps_bcd_and_masks() -> None:
    mode = Codec(point(0, values={0: "stopped", 1: "running"}))
    assert [mode.convert(raw) for raw in (0, 1)] == ["stopped", "running"] and mode.encode("running") == [1]
    level = Codec(point(0, type="int16", scale=0.5, clamp=[0, 100]))
    assert [level.convert(raw) for raw in (-4, 20, 999)] == [0, 10.0, 100]
    assert Codec(point(0, type="bcd32")).encode(12345678) == [0x1234, 0x5678]
    assert Codec(point(0, bit=3)).mask(True) == (0xFFF7, 8) and Codec(point(0, bit=3)).mask(False) == (0xFFF7, 0)
    for order, put in (("CDAB", 8), ("BADC", 0x800), ("DCBA", 0x800)):
        assert Codec(point(0, bit=3, word_order=order)).mask(True) == (0xFFFF & ~put, put)
    with pytest.raises(ValueError, match="has no word"):
        mode.convert(7)
    with pytest.raises(ValueError, match=r"sent 1\.5, for which 'values' has no word"):
        mode.scaling.apply(1.5)
    with pytest.raises(ValueError, match="is no BCD"):
        Codec(point(0, type="bcd16")).convert(0x1A)


def test_an_inspection_shows_which_order_makes_sense() -> None:
    raw = struct.pack("<f", 21.5)[2:] + struct.pack("<f", 21.5)[:2]
    shown = inspection("plc.t", point(0, type="float32", word_order="ABCD"), raw)
    floats = {reading.how: reading for reading in shown.readings if reading.how.startswith("float32")}
    assert floats["float32 BADC"].value == 21.5 and floats["float32 BADC"].plausible
    assert floats["float32 ABCD"].is_configured and not floats["float32 ABCD"].plausible
