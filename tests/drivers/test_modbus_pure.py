"""The planner and the codec, which are pure."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.codec import Codec
from drivers.modbus.options import REGISTERS, ModbusPoint, Table
from drivers.modbus.plan import Limits, Span, plan, split

SPANS = st.lists(
    st.builds(
        Span,
        st.sampled_from(Table),
        st.integers(min_value=0, max_value=2000),
        st.sampled_from([1, 2, 4]),
        st.uuids().map(str),
    ),
    max_size=60,
)
LIMITS = st.builds(
    Limits,
    st.integers(min_value=8, max_value=2000),
    st.integers(min_value=4, max_value=125),
    st.integers(min_value=0, max_value=20),
)


@given(SPANS, LIMITS)
def test_every_point_is_covered_once_and_no_request_is_too_large(spans: list[Span], limits: Limits) -> None:
    blocks = plan(spans, limits)
    covered = Counter(span.point for block in blocks for span in block.spans)
    assert covered == Counter(span.point for span in spans)
    for block in blocks:
        assert block.count <= (limits.max_bits if block.table.is_bits else limits.max_registers)
        for span in block.spans:
            assert span.table is block.table
            assert block.offset <= span.offset and span.end <= block.offset + block.count


@given(SPANS, LIMITS)
def test_no_hole_is_larger_than_allowed(spans: list[Span], limits: Limits) -> None:
    for block in plan(spans, limits):
        used = {offset for span in block.spans for offset in range(span.offset, span.end)}
        assert {block.offset, block.offset + block.count - 1} <= used
        hole = limits.max_hole * 16 if block.table.is_bits else limits.max_hole
        ordered = sorted(used)
        assert all(after - before - 1 <= hole for before, after in pairwise(ordered))


def test_contiguous_registers_take_the_fewest_requests() -> None:
    spans = [Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(1000)]
    assert [block.count for block in plan(spans, Limits())] == [125] * 8


@given(SPANS.filter(bool), LIMITS)
def test_splitting_ends_at_single_points(spans: list[Span], limits: Limits) -> None:
    todo, found = plan(spans, limits), []
    while todo:
        block = todo.pop()
        if len(block.spans) == 1:
            found.append(block.spans[0].point)
        else:
            todo.extend(split(block, limits))
    assert Counter(found) == Counter(span.point for span in spans)


def point(**options: object) -> ModbusPoint:
    return ModbusPoint.model_validate({"address": 40001, **options})


KINDS = sorted(set(REGISTERS) - {"bool"})
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
RANGES = {"int16": 2**15, "int32": 2**31, "int64": 2**63}


@given(st.sampled_from(KINDS), st.sampled_from(ORDERS), st.data())
def test_what_is_encoded_is_decoded(kind: str, order: str, data: st.DataObject) -> None:
    if kind.startswith("float"):
        value: float = data.draw(
            st.floats(allow_nan=False, allow_infinity=False, width=32 if kind == "float32" else 64)
        )
    else:
        bits = int(kind.removeprefix("u").removeprefix("int"))
        low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        value = data.draw(st.integers(min_value=low, max_value=high).filter(lambda each: abs(each) < 2**53))
    codec = Codec(point(type=kind, word_order=order))
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize(
    ("order", "registers"),
    [("ABCD", [0x4228, 0]), ("CDAB", [0, 0x4228]), ("BADC", [0x2842, 0]), ("DCBA", [0, 0x2842])],
)
def test_word_orders_of_42(order: str, registers: list[int]) -> None:
    assert Codec(point(type="float32", word_order=order)).decode(registers) == 42.0


def test_scale_bits_strings_and_what_is_no_number() -> None:
    assert Codec(point(type="int16", scale=0.1, offset=-5)).decode([123]) == 7.3
    assert Codec(point(type="int16", scale=0.1)).encode(21.5) == [215]
    assert Codec(point(bit=3)).decode([0b1000]) is True
    assert Codec(point(type="string", length=4)).decode([0x5055, 0x4D50, 0x2031, 0]) == "PUMP 1"
    with pytest.raises(ValueError, match="the device sent nan"):
        Codec(point(type="float32")).decode([0x7FC0, 0])
    with pytest.raises(ValueError, match="70000 does not fit into uint16"):
        Codec(point()).encode(70000)
    assert math.isclose(float(str(Codec(point(type="float64")).decode([0x3FF8, 0, 0, 0]))), 1.5)


@pytest.mark.parametrize(
    ("address", "table", "offset"),
    [
        (40001, "holding", 0),
        (400001, "holding", 0),
        (30010, "input", 9),
        (10001, "discrete", 0),
        ("00001", "coil", 0),
        ({"table": "holding", "offset": 0}, "holding", 0),
    ],
)
def test_both_notations(address: object, table: str, offset: int) -> None:
    found = ModbusPoint.model_validate({"address": address}).address
    assert (found.table, found.offset) == (table, offset)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": 5}, "5 is not a Modbus address; write a reference number"),
        ({"address": 40000}, "40000 is not a Modbus address"),
        ({"address": "00001", "type": "float32"}, "a coil holds one bit, not a float32"),
        ({"address": 40001, "type": "bool"}, "needs 'bit'"),
        ({"address": 30001, "writable": True}, "the table input cannot be written"),
        ({"address": 40001, "bit": 2, "writable": True}, "single bit of a register cannot be written"),
        ({"address": {"table": "holding", "offset": 65535}, "type": "float32"}, "the last offset is 65535"),
        ({"address": 40001, "scale": 0}, "must not be 0"),
    ],
)
def test_what_does_not_fit_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModbusPoint.model_validate(options)
