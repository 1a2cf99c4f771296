"""What a bad disk does to a journal."""

from __future__ import annotations

import random
from pathlib import Path

_PAGE, _LEAF = 4096, 13


def spoil(path: Path, seq: int) -> None:
    """Write over half of the pages that hold an event with number ``seq``: enough to condemn the file."""
    octets, number = bytearray(path.read_bytes()), f'"seq":{seq},'.encode()
    pages = [at for at in range(0, len(octets), _PAGE) if octets[at] == _LEAF and number in octets[at : at + _PAGE]]
    assert pages, f"no page holds event {seq}"
    for at in pages:
        octets[at : at + _PAGE // 2] = random.Random(3).randbytes(_PAGE // 2)
    path.write_bytes(octets)
