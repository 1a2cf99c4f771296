"""What a paho client without a thread must do as well as one with a thread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import _WebsocketWrapper
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.links.driven import _frame, packed


@given(st.text(max_size=20), st.lists(st.tuples(st.text(max_size=200), st.text(max_size=20)), max_size=3))
def test_what_stands_beside_a_body_is_packed_as_paho_packs_it(kind: str, user: list[tuple[str, str]]) -> None:
    slow = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    slow.ContentType, slow.UserProperty = kind, user
    assert packed(kind, user).pack() == slow.pack()  # type: ignore[no-untyped-call]


class _Wire:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def recv(self, count: int) -> bytes:
        found, self.octets = self.octets[:count], self.octets[count:]
        return found


@pytest.mark.parametrize("size", [1, 125, 126, 127, 65535, 65536, 300_000])
@pytest.mark.parametrize("masked", [0, 1])
def test_a_frame_is_read_as_paho_reads_it(size: int, masked: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    reader = _WebsocketWrapper.__new__(_WebsocketWrapper)
    reader._readbuffer, reader._readbuffer_head, reader._payload_head = bytearray(), 0, 0
    reader._socket = _Wire(bytes(_frame(2, bytearray(body[:size]), masked)))  # type: ignore[assignment]
    assert reader.recv(size) == body[:size]
