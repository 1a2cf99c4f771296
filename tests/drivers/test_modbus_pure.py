"""The planner and the codec, which are pure."""

from __future__ import annotations

import math
import struct
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import Table
from drivers.modbus.codec import Codec, Octets
from drivers.modbus.options import REGISTERS, ModbusPoint
from drivers.modbus.plan import Block, Limits, Span, cost_s, joined, plan, split
from drivers.modbus.schedule import FORGET_S, RETRY_S, Answer, Schedule

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
    st.none() | st.integers(min_value=0, max_value=20),
    st.sampled_from([0.003, 0.04]),
    st.sampled_from([0.000_002, 0.002, 0.02]),
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
        hole = limits.hole(block.table)
        ordered = sorted(used)
        assert all(after - before - 1 <= hole for before, after in pairwise(ordered))


def test_contiguous_registers_take_the_fewest_requests() -> None:
    spans = [Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(1000)]
    assert [block.count for block in plan(spans, Limits())] == [125] * 8


@given(st.lists(st.integers(min_value=0, max_value=400), unique=True, max_size=40), LIMITS)
def test_no_other_plan_costs_less(offsets: list[int], limits: Limits) -> None:
    """Against the best of all ways to cut the ordered spans into requests."""
    spans = [Span(Table.HOLDING, offset, 1, str(offset)) for offset in sorted(offsets)]
    best = [0.0]
    for last in range(len(spans)):
        cuts = (best[first] + _price(spans[first : last + 1], limits) for first in range(last + 1))
        best.append(min(cuts))
    assert math.isclose(cost_s(plan(spans, limits), limits), best[-1], abs_tol=1e-9)


def _price(spans: list[Span], limits: Limits) -> float:
    reach = spans[-1].end - spans[0].offset
    torn = any(b.offset - a.end > limits.hole(Table.HOLDING) for a, b in pairwise(spans))
    if torn or reach > limits.max_registers:
        return math.inf
    return limits.request_s + reach * limits.register_s


def test_a_hole_is_read_where_that_is_cheaper_than_another_request() -> None:
    spans = [Span(Table.HOLDING, offset, 1, str(offset)) for offset in (0, 30)]
    serial = Limits(request_s=0.03, register_s=0.002)
    assert len(plan(spans, Limits())) == 1, "on a network a hole costs next to nothing"
    assert len(plan(spans, serial)) == 2, "at 9600 baud 29 registers take longer than a request"
    assert len(plan([*spans, Span(Table.HOLDING, 15, 1, "15")], serial)) == 1


@given(st.lists(st.integers(min_value=0, max_value=9000), unique=True, min_size=1, max_size=200), LIMITS)
def test_a_register_is_never_asked_for_in_two_blocks(offsets: list[int], limits: Limits) -> None:
    kinds = [1 + offset % 4 for offset in offsets]
    spans = [Span(Table.INPUT, o, c, str(o)) for o, c in zip(offsets, kinds, strict=True)]
    separate = [span for span, after in pairwise(sorted(spans, key=lambda s: s.offset)) if span.end <= after.offset]
    read = Counter(offset for block in plan(separate, limits) for offset in range(block.offset, block.end))
    assert all(times == 1 for times in read.values())


@given(
    st.sets(st.integers(min_value=0, max_value=300), min_size=1),
    st.integers(min_value=0, max_value=20),
    st.integers(min_value=1, max_value=125),
)
def test_no_register_is_read_twice(offsets: set[int], hole: int, most: int) -> None:
    limits = Limits(max_hole=hole, max_registers=most)
    blocks = plan([Span(Table.HOLDING, offset, 1, str(offset)) for offset in offsets], limits)
    read = Counter(offset for block in blocks for offset in range(block.offset, block.end))
    assert max(read.values()) == 1 and max(block.count for block in blocks) <= most


@given(SPANS, LIMITS)
def test_joining_loses_nothing_and_keeps_the_limits(spans: list[Span], limits: Limits) -> None:
    blocks = joined((block for span in spans for block in plan([span], limits)), limits)
    assert Counter(s.point for block in blocks for s in block.spans) == Counter(span.point for span in spans)
    for block in blocks:
        assert block.count <= limits.most(block.table)
        assert all(block.offset <= span.offset and span.end <= block.end for span in block.spans)


def _served(schedule: Schedule) -> list[list[str]]:
    return [[span.point for span in block.spans] for block in schedule.blocks]


def _answers(block: Block, bad: str) -> list[Answer]:
    """Cut a block into its points, one of which is refused."""
    parts = [plan([span], Limits())[0] for span in block.spans]
    return [Answer(part, "no" if part.spans[0].point == bad else "") for part in parts]


def test_a_refused_address_is_cut_out_and_let_in_again() -> None:
    schedule = Schedule([Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(5)], Limits())
    (whole,) = schedule.blocks
    schedule.settle(_answers(whole, "2"), 100.0)
    assert _served(schedule) == [["0", "1"], ["3", "4"]], "two requests, around the bad address"
    assert schedule.probes(100.0 + RETRY_S - 1) == [] and [each.reason for each in schedule.barred] == ["no"]
    good = [Answer(block) for block in schedule.blocks]
    (probe,) = schedule.probes(100.0 + RETRY_S)
    schedule.settle([*good, Answer(probe, "still no")], 110.0)
    assert [each.reason for each in schedule.barred] == ["still no"]
    (probe,) = schedule.probes(110.0 + RETRY_S)
    schedule.settle([*good, Answer(probe)], 120.0)
    assert _served(schedule) == [["0", "1", "2", "3", "4"]] and not schedule.barred


def test_a_block_that_was_refused_as_a_whole_is_not_asked_for_again_until_that_is_old() -> None:
    schedule = Schedule([Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(4)], Limits())
    (whole,) = schedule.blocks
    schedule.settle([Answer(half) for half in split(whole, Limits())], 0.0)
    assert len(schedule.blocks) == 2, "each half is read, the whole is not"
    for now_s, blocks in ((FORGET_S - 1, 2), (FORGET_S, 1)):
        schedule.settle([Answer(block) for block in schedule.blocks], now_s)
        assert len(schedule.blocks) == blocks


def test_what_is_not_decided_yet_is_not_joined_with_what_was_read() -> None:
    schedule = Schedule([Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(8)], Limits())
    (whole,) = schedule.blocks
    left, right = split(whole, Limits())
    schedule.settle([Answer(left, is_open=True), Answer(right)], 0.0)
    schedule.settle([*map(Answer, split(left, Limits())), Answer(right)], 1.0)
    assert _served(schedule) == [["0", "1"], ["2", "3", "4", "5", "6", "7"]]


def test_what_recovers_together_is_asked_for_in_few_requests() -> None:
    schedule = Schedule([Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(200)], Limits())
    answers = [answer for block in schedule.blocks for answer in _answers(block, "")]
    schedule.settle([Answer(answer.block, "no") for answer in answers], 0.0)
    (probe,) = schedule.probes(RETRY_S)
    schedule.settle([Answer(probe)], RETRY_S)
    assert len(schedule.probes(RETRY_S)) == 2


def test_bad_addresses_are_probed_one_at_a_time_but_recover_together() -> None:
    schedule = Schedule([Span(Table.HOLDING, offset, 1, str(offset)) for offset in range(3)], Limits())
    (whole,) = schedule.blocks
    schedule.settle([Answer(answer.block, "no") for answer in _answers(whole, "")], 0.0)
    (probe,) = schedule.probes(RETRY_S)
    schedule.settle([Answer(probe)], RETRY_S)
    (rest,) = schedule.probes(RETRY_S)
    assert len(rest.spans) == 2, "the device is back: ask for the rest at once"
    schedule.settle([Answer(probe), *(Answer(part.block, "no") for part in _answers(rest, ""))], RETRY_S)
    assert schedule.probes(RETRY_S) == [], "but not again and again"


@given(SPANS.filter(bool), LIMITS, st.data())
def test_whatever_is_refused_and_recovers_every_point_stands_in_one_place(
    spans: list[Span], limits: Limits, data: st.DataObject
) -> None:
    schedule = Schedule(spans, limits)
    for poll in range(6):
        now_s = poll * RETRY_S
        bad = data.draw(st.sets(st.sampled_from([span.point for span in spans])))
        asked = [*schedule.blocks, *schedule.probes(now_s)]
        schedule.settle([answer for block in asked for answer in _ask(block, bad, limits)], now_s)
        blocks = [*schedule.blocks, *(each.block for each in schedule.barred)]
        assert Counter(s.point for block in blocks for s in block.spans) == Counter(span.point for span in spans)


def _ask(block: Block, bad: set[str], limits: Limits) -> list[Answer]:
    """Answer as a session does: halve what is refused."""
    if not bad & {span.point for span in block.spans}:
        return [Answer(block)]
    if len(block.spans) == 1:
        return [Answer(block, "no")]
    return [answer for half in split(block, limits) for answer in _ask(half, bad, limits)]


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


def decode(codec: Codec, registers: list[int], first: int = 0) -> object:
    return codec.decode(Octets.of(struct.pack(f">{len(registers)}H", *registers)), first)


KINDS = sorted(set(REGISTERS) - {"bool"})
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]


@given(st.sampled_from(KINDS), st.sampled_from(ORDERS), st.data())
def test_what_is_encoded_is_decoded(kind: str, order: str, data: st.DataObject) -> None:
    if kind.startswith("float"):
        value: float = data.draw(
            st.floats(allow_nan=False, allow_infinity=False, width=32 if kind == "float32" else 64)
        )
    elif kind.startswith("bcd"):
        value = data.draw(st.integers(min_value=0, max_value=10 ** (int(kind[3:]) // 4) - 1))
    else:
        bits = int(kind.removeprefix("u").removeprefix("int"))
        low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        value = data.draw(st.integers(min_value=low, max_value=high))
    codec = Codec(point(type=kind, word_order=order))
    assert decode(codec, [0xDEAD, *codec.encode(value)], 1) == value


@pytest.mark.parametrize(
    ("order", "registers"),
    [("ABCD", [0x4228, 0]), ("CDAB", [0, 0x4228]), ("BADC", [0x2842, 0]), ("DCBA", [0, 0x2842])],
)
def test_word_orders_of_42(order: str, registers: list[int]) -> None:
    assert decode(Codec(point(type="float32", word_order=order)), registers) == 42.0
    assert Codec(point(type="float32", word_order=order, writable=True)).encode(42) == registers


@given(st.sampled_from(["int16", "uint16", "int32"]), st.sampled_from([0.1, 0.01, 2.0, 0.5, 1e-12]), st.data())
def test_what_is_scaled_is_written_back_as_it_was(kind: str, scale: float, data: st.DataObject) -> None:
    low = 0 if kind == "uint16" else -(2**15)
    raw = data.draw(st.integers(min_value=low, max_value=2**15 - 1))
    codec, plain = Codec(point(type=kind, scale=scale, offset=-5)), Codec(point(type=kind))
    value = decode(codec, plain.encode(raw))
    assert isinstance(value, float) and codec.encode(value) == plain.encode(raw)


@pytest.mark.parametrize(
    ("options", "value", "wanted"),
    [
        ({"type": "int16"}, 1.5, "write 1 or 2"),
        ({"type": "int16", "scale": 0.1}, 12.34, "write 12.3 or 12.4"),
        ({"type": "bcd16"}, 7.25, "write 7 or 8"),
        ({"type": "uint32", "scale": 10, "offset": 5}, 16, "write 15 or 25"),
    ],
)
def test_what_would_have_to_be_rounded_is_refused(options: dict[str, object], value: float, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"{value} is no whole number of the device's; {wanted}"):
        Codec(point(**options)).encode(value)


@given(
    st.integers(min_value=-(2**31), max_value=2**31 - 1),
    st.sampled_from([1.0, 0.1, 0.01, 0.001, 0.3, 7.7, 1e-5]),
    st.sampled_from([0.0, 1000.0, -273.15]),
)
def test_what_was_read_can_be_written(raw: int, scale: float, offset: float) -> None:
    codec = Codec(point(type="int32", scale=scale, offset=offset))
    value = codec.convert(raw)
    assert codec.encode(value) == Codec(point(type="int32")).encode(raw)


def test_scale_bits_and_strings() -> None:
    assert decode(Codec(point(type="int16", scale=0.1, offset=-5)), [123]) == 7.3
    assert Codec(point(type="int16", scale=0.1)).encode(21.5) == [215]
    assert decode(Codec(point(bit=3)), [0b1000]) is True
    assert decode(Codec(point(bit=3, word_order="BADC")), [0b1000]) is False
    assert decode(Codec(point(type="string", length=4)), [0x5055, 0x4D50, 0x2031, 0]) == "PUMP 1"
    assert decode(Codec(point(type="string", length=2, word_order="BADC")), [0x5550, 0x504D]) == "PUMP"
    assert Codec(point(type="string", length=3)).encode("PUMP") == [0x5055, 0x4D50, 0]
    assert decode(Codec(point(type="float64")), [0x3FF8, 0, 0, 0]) == 1.5


@pytest.mark.parametrize(("registers", "word"), [([0x7FC0, 0], "nan"), ([0x7F80, 0], "inf"), ([0xFF80, 0], "-inf")])
def test_what_is_no_number_is_no_value(registers: list[int], word: str) -> None:
    with pytest.raises(ValueError, match=f"the device sent {word}"):
        decode(Codec(point(type="float32", scale=2.0)), registers)


@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        ({}, 70000, "70000 does not fit into uint16"),
        ({}, -1, "-1 does not fit into uint16"),
        ({"type": "float32"}, 1e39, "does not fit into float32"),
        ({"type": "float32"}, math.nan, "nan is not a number"),
        ({}, None, "None is not a number"),
        ({}, "7", "'7' is not a number"),
        ({"type": "string", "length": 1}, "PUMP", "'PUMP' does not fit into string"),
        ({"type": "string"}, "泵", "does not fit into string"),
        ({"type": "string"}, None, "None is no text"),
        ({"type": "float64", "scale": 1e-300}, 1e300, "beyond what 'scale' lets pass"),
        ({"type": "float32", "scale": 1e-300}, -1e300, "beyond what 'scale' lets pass"),
        ({"control": 256}, 256, "does not fit beside 'control: 256'"),
        ({"control": 256, "type": "int16"}, -1, "does not fit beside 'control: 256'"),
        ({"type": "bcd16"}, -1, "does not fit into bcd16"),
        ({"type": "int16", "scale": 0.1}, 3276.8, "does not fit into int16"),
    ],
)
def test_what_cannot_be_written(options: dict[str, object], value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Codec(point(**options)).encode(value)


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
        ({"address": 40001, "bit": 2, "write": "single"}, "a bit of a register takes mask or read-modify-write"),
        ({"address": 40001, "write": "mask"}, "all else does not"),
        ({"address": 40001, "type": "int32", "write": "single"}, "a int32 takes 2; write: multiple"),
        ({"address": 40001, "type": "int32", "word_order": "ABCDEFGH"}, "is for 64 bits, not for a int32"),
        ({"address": 40001, "clamp": [5, 5]}, "5 is not below 5"),
        ({"address": 40001, "values": {0: "off", 1: "off"}}, "the same word"),
        ({"address": 40001, "values": {0: "off"}, "scale": 2}, "leave 'scale', 'offset' and 'clamp' out"),
        ({"address": {"table": "holding", "offset": 65535}, "type": "float32"}, "the last offset is 65535"),
        ({"address": 40001, "scale": 0}, "must not be 0"),
        ({"address": "00001", "scale": 2}, "are for numbers, not for a bool"),
        ({"address": 40001, "type": "string", "word_order": "CDAB"}, "a string has no word order CDAB"),
        ({"address": 40001, "type": "string", "length": 124, "writable": True}, "'length' may be 123 at most"),
    ],
)
def test_what_does_not_fit_together(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModbusPoint.model_validate(options)
