"""Framings and requests, which are pure: an answer is found in whatever noise surrounds it, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.modbus import pdu
from drivers.modbus.address import Table
from drivers.modbus.frames import FRAMINGS, LONGEST, AsciiFraming, Framing, RtuFraming, TcpFraming, crc16

UNIT, NUMBER = 17, 4711
REQUESTS = {
    "registers": (pdu.read(Table.HOLDING, 107, 3), bytes.fromhex("0306022B00000064")),
    "coils": (pdu.read(Table.COIL, 19, 19), bytes.fromhex("0103CD6B05")),
    "coil": (pdu.write_coil(172, True), bytes.fromhex("0500ACFF00")),
    "several": (pdu.write_registers(1, [10, 258]), bytes.fromhex("1000010002")),
    "refused": (pdu.read(Table.INPUT, 9, 1), bytes.fromhex("8402")),
}
CASES = st.sampled_from(sorted(REQUESTS))
FRAMING = st.sampled_from(sorted(FRAMINGS)).map(lambda name: FRAMINGS[name]())


def test_requests_are_those_of_the_specification() -> None:
    """The examples of the Modbus Application Protocol 1.1b3."""
    assert pdu.read(Table.COIL, 0x13, 0x13).pdu.hex() == "0100130013"
    assert pdu.read(Table.HOLDING, 0x6B, 3).pdu.hex() == "03006b0003"
    assert pdu.write_coil(0xAC, True).pdu.hex() == "0500acff00"
    assert pdu.write_register(1, 3).pdu.hex() == "0600010003"
    assert pdu.write_coils(0x13, [c == "1" for c in "1011001110"]).pdu.hex() == "0f0013000a02cd01"
    assert pdu.write_registers(1, [0x000A, 0x0102]).pdu.hex() == "100001000204000a0102"
    assert pdu.mask_register(4, 0xF2, 0x25).pdu.hex() == "16000400f20025"
    assert pdu.identification(bytes.fromhex("2b0e010100000301") + b"x")[:1] == [], "what is cut short is left out"


def test_the_checksum_is_that_of_the_specification() -> None:
    assert crc16(bytes.fromhex("0207")).hex() == "4112"
    assert AsciiFraming().wrap(1, 0, bytes.fromhex("0300000001")) == b":010300000001FB\r\n"


@given(FRAMING, CASES, st.integers(min_value=1, max_value=40))
def test_an_answer_in_pieces_is_found_once_it_is_whole(framing: Framing, case: str, size: int) -> None:
    request, answer = REQUESTS[case]
    frame, buffer = framing.wrap(UNIT, NUMBER, answer), bytearray()
    pieces = [frame[at : at + size] for at in range(0, len(frame), size)]
    found = []
    for piece in pieces:
        buffer += piece
        found.append(framing.find(buffer, UNIT, NUMBER, request))
    assert found == [*[None] * (len(pieces) - 1), answer]


@given(CASES, st.binary(max_size=60), st.binary(max_size=20))
def test_noise_on_a_serial_line_hides_no_answer(case: str, before: bytes, after: bytes) -> None:
    request, answer = REQUESTS[case]
    framing = RtuFraming()
    frame = framing.wrap(UNIT, 0, answer)
    assert framing.find(bytearray(before + frame + after), UNIT, 0, request) == answer
    text = AsciiFraming()
    noise = before.replace(b"\r\n", b"")
    assert text.find(bytearray(noise + text.wrap(UNIT, 0, answer)), UNIT, 0, request) == answer


@given(CASES, st.integers(min_value=1, max_value=247), CASES)
def test_the_talk_of_others_is_no_answer(case: str, unit: int, other: str) -> None:
    """Requests of another master, and answers to it, with right checksums."""
    assume(unit != UNIT)
    request, _ = REQUESTS[case]
    framing = RtuFraming()
    foreign, answer = REQUESTS[other]
    talk = bytearray(framing.wrap(unit, 0, foreign.pdu) + framing.wrap(unit, 0, answer))
    assert framing.find(talk, UNIT, 0, request) is None


@given(FRAMING, CASES, st.data())
def test_a_spoiled_answer_never_passes(framing: Framing, case: str, data: st.DataObject) -> None:
    """One bit is wrong: CRC and LRC notice each; the header of Modbus TCP has no checksum, TCP has."""
    assume(not isinstance(framing, TcpFraming))
    request, answer = REQUESTS[case]
    frame = bytearray(framing.wrap(UNIT, NUMBER, answer))
    position = data.draw(st.integers(min_value=0, max_value=len(frame) - 1))
    frame[position] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))
    found = framing.find(frame, UNIT, NUMBER, request)
    assert found is None or found == answer, "an ASCII digit may change its case, which means the same"


def test_late_answers_and_other_units_are_dropped_on_tcp() -> None:
    request, answer = REQUESTS["registers"]
    framing = TcpFraming()
    late, foreign = framing.wrap(UNIT, NUMBER - 1, answer), framing.wrap(UNIT + 1, NUMBER, answer)
    assert framing.find(bytearray(late + foreign), UNIT, NUMBER, request) is None
    assert framing.find(bytearray(late + framing.wrap(UNIT, NUMBER, answer)), UNIT, NUMBER, request) == answer


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad", bytes(16), b"\x12\x67\x00\x00\x01\x00\x11\x03"])
def test_what_is_no_modbus_tcp_is_told_at_once(data: bytes) -> None:
    with pytest.raises(ValueError, match="does not speak Modbus TCP"):
        TcpFraming().find(bytearray(data), UNIT, NUMBER, REQUESTS["registers"][0])


def test_an_answer_of_another_shape_is_found_on_tcp_and_does_not_fit() -> None:
    request = REQUESTS["registers"][0]
    frame = TcpFraming().wrap(UNIT, NUMBER, bytes.fromhex("0302022B"))
    found = TcpFraming().find(bytearray(frame), UNIT, NUMBER, request)
    assert found is not None and not request.is_answered_by(found)


@pytest.mark.parametrize("name", ["rtu", "ascii"])
def test_endless_noise_takes_no_memory(name: str) -> None:
    framing, buffer = FRAMINGS[name](), bytearray()
    for _ in range(100):
        buffer += bytes(range(256))
        framing.find(buffer, UNIT, 0, REQUESTS["registers"][0])
    assert len(buffer) <= LONGEST
