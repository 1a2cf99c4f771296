"""Requests of a Modbus master, and what their answers must look like (Application Protocol 1.1b3). Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.modbus.address import Table

_READ = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
_EXCEPTION = 0x80
BUSY = {5: "acknowledged, still busy", 6: "device busy"}
GONE = {10: "gateway path unavailable", 11: "gateway target failed to respond"}
_REASONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    8: "memory parity error",
    **BUSY,
    **GONE,
}
_NO_CODE = 0x100
"""Stands for the exception code 0, which some devices send though there is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """``pdu`` is function code and data; the answer begins with ``head`` and has ``size`` octets (None: unknown)."""

    pdu: bytes
    head: bytes
    size: int | None

    @property
    def refusal(self) -> bytes:
        """What an exception answer begins with; one octet with its code follows."""
        return bytes([self.pdu[0] | _EXCEPTION])

    def is_answered_by(self, pdu: bytes) -> bool:
        """Tell whether ``pdu`` is the whole answer to this request, or its refusal."""
        if pdu.startswith(self.head):
            return self.size is None or len(pdu) == self.size
        return len(pdu) == 2 and pdu.startswith(self.refusal)


def exception_code(answer: bytes) -> int:
    """Return the exception that an answer carries, 0 if it carries none."""
    return (answer[1] or _NO_CODE) if answer[0] & _EXCEPTION else 0


def reason(code: int) -> str:
    """Say an exception in words."""
    return f"Modbus exception {code % _NO_CODE}: {_REASONS.get(code, 'unknown')}"


def read(table: Table, offset: int, count: int) -> Request:
    """Functions 1 to 4: read ``count`` bits or registers."""
    function = _READ[table]
    size = (count + 7) // 8 if table.is_bits else 2 * count
    return Request(struct.pack(">BHH", function, offset, count), bytes((function, size)), size + 2)


def write_coil(offset: int, value: bool) -> Request:
    """Function 5; the answer repeats the request."""
    return _echoed(struct.pack(">BHH", 5, offset, 0xFF00 if value else 0))


def write_register(offset: int, register: int) -> Request:
    """Function 6; the answer repeats the request."""
    return _echoed(struct.pack(">BHH", 6, offset, register))


def write_coils(offset: int, values: Sequence[bool]) -> Request:
    """Function 15."""
    octets = sum(value << index for index, value in enumerate(values)).to_bytes((len(values) + 7) // 8, "little")
    head = struct.pack(">BHH", 15, offset, len(values))
    return Request(head + bytes((len(octets),)) + octets, head, 5)


def write_registers(offset: int, registers: Sequence[int]) -> Request:
    """Function 16."""
    head = struct.pack(">BHH", 16, offset, len(registers))
    return Request(head + struct.pack(f">B{len(registers)}H", 2 * len(registers), *registers), head, 5)


def mask_register(offset: int, keep: int, put: int) -> Request:
    """Function 22: register = (register and ``keep``) or (``put`` and not ``keep``); the answer repeats the request."""
    return _echoed(struct.pack(">BHHH", 22, offset, keep, put))


def identify(object_id: int = 0) -> Request:
    """Function 43/14: basic device identification, from ``object_id`` on."""
    return Request(bytes((43, 14, 1, object_id)), bytes((43, 14, 1)), None)


def identification(answer: bytes) -> list[str]:
    """Return the texts (vendor, product, revision) of an answer to ``identify``; what is cut short is left out."""
    texts, at = [], 7
    while at + 2 <= len(answer):
        end = at + 2 + answer[at + 1]
        texts.append(answer[at + 2 : end].decode("latin-1").strip("\0 "))
        at = end
    return [text for text in texts if text]


def _echoed(pdu: bytes) -> Request:
    return Request(pdu, pdu, len(pdu))
