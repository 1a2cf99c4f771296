"""Frames around a PDU: Modbus TCP, RTU and ASCII. Pure.

A master knows what the answer to its one open request looks like. So ``find`` does not parse a
stream, it looks for that answer in what came: noise, late answers and the talk of other masters
before it are thrown away, and can neither break the framing nor pass for the answer.
"""

from __future__ import annotations

import struct
from typing import Protocol

from drivers.modbus.pdu import Request

LONGEST = 4096
"""Octets kept while no answer is found in them."""
_MBAP = struct.Struct(">HHHB")


class Framing(Protocol):
    """How a PDU travels. ``transaction`` is used where the framing has such a number."""

    has_transactions: bool
    """Whether a late answer can be told from the right one."""
    stranger: int | None
    """The unit that answered the open request, though another one was asked."""

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """Return the frame to send."""

    def find(self, buffer: bytearray, unit: int, transaction: int, request: Request) -> bytes | None:
        """Take the answer out of ``buffer``, or return None while it is not whole.

        It may be nonsense where a number tells that it is the answer. Raises ValueError for what cannot
        be this protocol at all.
        """

    def overhear(self, buffer: bytearray) -> None:
        """Throw away what came while nobody waited, but for the beginning of a frame whose end is still to come."""


class TcpFraming:
    """The header of Modbus TCP: transaction, protocol 0, length, unit."""

    has_transactions = True
    stranger: int | None = None

    def wrap(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        """See Framing."""
        return _MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def find(self, buffer: bytearray, unit: int, transaction: int, _request: Request) -> bytes | None:
        """See Framing. Frames of other transactions came too late, and are dropped."""
        while (frame := _take(buffer)) is not None:
            number, sender, pdu = frame
            if number == transaction and sender == unit:
                return pdu  # whether it fits the request or not: frames are whole, the line is in order
            self.stranger = sender if number == transaction else self.stranger
        return None

    def overhear(self, buffer: bytearray) -> None:
        """See Framing. A late answer may arrive in pieces, and its rest is not the head of the next one."""
        while _take(buffer) is not None:
            pass


def _take(buffer: bytearray) -> tuple[int, int, bytes] | None:
    """Take a whole frame off ``buffer``: its transaction, unit and PDU. Raises ValueError for what is none."""
    if len(buffer) < 8:
        return None
    number, protocol, length, sender = _MBAP.unpack_from(buffer)
    if protocol != 0 or not 2 <= length <= 254:
        raise ValueError("it does not speak Modbus TCP")
    if len(buffer) < 6 + length:
        return None
    pdu = bytes(buffer[7 : 6 + length])
    del buffer[: 6 + length]
    return number, sender, pdu


class RtuFraming:
    """Unit, PDU, CRC. There is no length and no number: the answer is recognised by its unit, head, size and CRC."""

    has_transactions = False
    stranger: int | None = None

    def wrap(self, unit: int, _transaction: int, pdu: bytes) -> bytes:
        """See Framing."""
        frame = bytes((unit,)) + pdu
        return frame + crc16(frame)

    def find(self, buffer: bytearray, unit: int, _transaction: int, request: Request) -> bytes | None:
        """See Framing."""
        found = _search(buffer, unit, request.head, request.size) or _search(buffer, unit, request.refusal, 2)
        _forget(buffer, found)
        return found

    def overhear(self, buffer: bytearray) -> None:
        """See Framing. A frame is found wherever it begins."""
        buffer.clear()


class AsciiFraming:
    """A colon, the octets of unit, PDU and LRC in hexadecimal digits, CR and LF."""

    has_transactions = False
    stranger: int | None = None

    def wrap(self, unit: int, _transaction: int, pdu: bytes) -> bytes:
        """See Framing."""
        frame = bytes((unit,)) + pdu
        return b":" + (frame + _lrc(frame)).hex().upper().encode() + b"\r\n"

    def find(self, buffer: bytearray, unit: int, _transaction: int, request: Request) -> bytes | None:
        """See Framing."""
        *lines, rest = bytes(buffer).split(b"\r\n")
        for line in lines:
            frame = _unhex(line.rpartition(b":")[2])
            if frame[:1] == bytes((unit,)) and _lrc(frame[:-1]) == frame[-1:] and request.is_answered_by(frame[1:-1]):
                buffer.clear()
                return frame[1:-1]
        buffer[:] = rest[-LONGEST:]
        return None

    def overhear(self, buffer: bytearray) -> None:
        """See Framing. A frame is found wherever it begins."""
        buffer.clear()


FRAMINGS: dict[str, type[Framing]] = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}


def crc16(data: bytes | bytearray) -> bytes:
    """Return the checksum of an RTU frame as it is sent, low octet first."""
    crc = 0xFFFF
    for octet in data:
        crc = crc >> 8 ^ _CRC[(crc ^ octet) & 0xFF]
    return crc.to_bytes(2, "little")


def _crc_of(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (0xA001 if index & 1 else 0)
    return index


_CRC = [_crc_of(index) for index in range(256)]


def _search(buffer: bytearray, unit: int, head: bytes, size: int | None) -> bytes | None:
    """Return the PDU of the first frame of ``unit`` that begins with ``head``, has ``size`` octets and a right CRC."""
    start = buffer.find(bytes((unit,)) + head)
    while size is not None and start >= 0 and start + size + 3 <= len(buffer):
        end = start + 1 + size
        if crc16(buffer[start:end]) == buffer[end : end + 2]:
            return bytes(buffer[start + 1 : end])
        start = buffer.find(bytes((unit,)) + head, start + 1)
    return None


def _forget(buffer: bytearray, found: bytes | None) -> None:
    if found is not None:
        buffer.clear()
    elif len(buffer) > LONGEST:
        del buffer[:-LONGEST]


def _lrc(data: bytes) -> bytes:
    return (-sum(data) & 0xFF).to_bytes(1, "big")


def _unhex(digits: bytes) -> bytes:
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""
