"""The four tables of Modbus, and the one rule of how an address is written."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from agent.core.options import Options


class Table(StrEnum):
    """The four tables of the Modbus data model."""

    COIL = "coil"
    DISCRETE = "discrete"
    INPUT = "input"
    HOLDING = "holding"

    @property
    def is_bits(self) -> bool:
        """Tell whether the table holds bits, not registers."""
        return self in (Table.COIL, Table.DISCRETE)

    @property
    def is_writable(self) -> bool:
        """Tell whether a master may write to the table."""
        return self in (Table.COIL, Table.HOLDING)


class WireAddress(Options):
    """A table and a 0-based offset, as they travel on the wire."""

    table: Table
    offset: int = Field(ge=0, le=65535)


_REFERENCE = re.compile(r"([0134])(\d{4,5})")
_TABLES = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
_HELP = (
    "write a reference number of 5 or 6 digits that counts from 1 (40001 is the first holding register; "
    'quote one that begins with 0: "00001") or {table: holding, offset: 0}, which counts from 0'
)


def _address(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    match = _REFERENCE.fullmatch(str(value))
    number = int(match[2]) if match else 0
    if match is None or not 1 <= number <= 65536:
        raise ValueError(f"{value!r} is not a Modbus address; {_HELP}")
    return {"table": _TABLES[match[1]], "offset": number - 1}


Address = Annotated[WireAddress, BeforeValidator(_address)]
