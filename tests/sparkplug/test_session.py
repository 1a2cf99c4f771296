"""The session as a host sees it: unbroken numbers, births before data, one bdSeq from will to death."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.sparkplug.session import Host, Message, Names, OutOfOrder, Session, following
from agent.sparkplug.sparkplug_b_pb2 import Payload
from agent.sparkplug.values import Command, Metric, Type, type_of, wanted

NAMES = Names("works", "hall-3")
DEVICES = st.sampled_from(["plc", "gate"])
READING = Metric("gas", 1, Type.DOUBLE, 1.5, 192, 1000)


class OneNode(RuleBasedStateMachine):
    """Sends at random what the session lets through, and reads it as a strict host would."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(NAMES, 0)
        self.seq: int | None = None
        self.alive: set[str] = set()

    @rule()
    def node_is_born(self) -> None:
        payload = self._read(self.session.birth([READING], 1))
        assert (payload.seq, payload.metrics[0].name, payload.metrics[0].long_value) == (
            0,
            "bdSeq",
            self.session.bd_seq,
        )
        self.seq, self.alive = 0, set()

    @rule(device=DEVICES)
    def device_is_born(self, device: str) -> None:
        if self.seq is None:
            with pytest.raises(OutOfOrder):
                self.session.device_birth(device, [READING], 1)
            return
        self._follows(self.session.device_birth(device, [READING], 1))
        self.alive.add(device)

    @rule(device=DEVICES | st.just(""), times=st.integers(1, 300))
    def data(self, device: str, times: int) -> None:
        if self.seq is None or (device and device not in self.alive):
            with pytest.raises(OutOfOrder):
                self.session.data(device, [READING], 1)
            return
        for _ in range(times):
            self._follows(self.session.data(device, [READING], 1))

    @rule(device=DEVICES)
    def device_dies(self, device: str) -> None:
        if device not in self.alive:
            with pytest.raises(OutOfOrder):
                self.session.device_death(device, 1)
            return
        self._follows(self.session.device_death(device, 1))
        self.alive.discard(device)

    @rule()
    def connection_is_made_anew(self) -> None:
        death = self._read(self.session.death())
        assert not death.HasField("seq")
        assert [(m.name, m.datatype, m.long_value) for m in death.metrics] == [("bdSeq", 4, self.session.bd_seq)]
        self.session = Session(NAMES, following(self.session.bd_seq))
        self.seq, self.alive = None, set()

    @invariant()
    def knows_who_lives(self) -> None:
        assert self.session.born == self.alive

    def _follows(self, message: Message) -> None:
        assert self.seq is not None
        self.seq = (self.seq + 1) % 256
        assert self._read(message).seq == self.seq

    def _read(self, message: Message) -> Payload:
        assert message.topic.startswith("spBv1.0/works/")
        payload = Payload()
        payload.ParseFromString(message.body)
        return payload


TestOneNode = OneNode.TestCase
TestOneNode.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_bd_seq_comes_round() -> None:
    assert [following(0), following(254), following(255)] == [1, 255, 0]


def test_a_host_is_believed_only_in_its_own_words_and_never_backwards() -> None:
    host = Host("scada")
    for topic, body, online in (
        ("spBv1.0/STATE/other", b'{"online": true, "timestamp": 5}', False),
        ("spBv1.0/STATE/scada", b"ONLINE", False),
        ("spBv1.0/STATE/scada", b'{"online": 1, "timestamp": 5}', False),
        ("spBv1.0/STATE/scada", b'{"online": true, "timestamp": 5}', True),
        ("spBv1.0/STATE/scada", b'{"online": false, "timestamp": 4}', True),
        ("spBv1.0/STATE/scada", b'{"online": false, "timestamp": 5}', False),
    ):
        host.hears(topic, body)
        assert host.is_online is online, (topic, body)


def test_without_a_primary_host_nobody_is_waited_for() -> None:
    assert Host("").is_online


def test_types_only_widen() -> None:
    kind = None
    for value, then in ((None, None), (True, Type.BOOLEAN), (2, Type.INT64), (2.5, Type.DOUBLE), (1, Type.DOUBLE)):
        kind = type_of(value, kind)
        assert kind is then


@pytest.mark.parametrize(
    ("command", "kind", "value"),
    [
        (Command("a", None, (1 << 64) - 5, is_long=True), Type.INT64, -5),
        (Command("a", None, 7, is_long=True), Type.DOUBLE, 7),
        (Command("a", None, True), Type.BOOLEAN, True),
    ],
)
def test_a_compatible_value_is_written(command: Command, kind: Type, value: object) -> None:
    found = wanted(command, kind)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (Command("a", None, None), Type.BOOLEAN),
        (Command("a", None, 1), Type.BOOLEAN),
        (Command("a", None, 1 << 31), Type.INT64),
        (Command("a", None, float("nan")), Type.DOUBLE),
        (Command("a", None, "on"), Type.DOUBLE),
    ],
)
def test_an_incompatible_value_is_refused(command: Command, kind: Type) -> None:
    with pytest.raises(ValueError, match=r"value|is no|Int64|finite"):
        wanted(command, kind)
