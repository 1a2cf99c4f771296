"""A plant lives at random and a network loses what it may; in the end a strict host knows all that was ever said."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agent.core.clock import ManualClock
from agent.core.model import Instant, PointInfo, Quality, Sample, Value
from agent.facts import FactTable
from agent.sparkplug import node
from agent.sparkplug.catalogue import Catalogue
from agent.sparkplug.history import History
from agent.sparkplug.node import Node
from agent.sparkplug.session import Message, Names
from agent.sparkplug.sparkplug_b_pb2 import Payload
from agent.sparkplug.values import BAD, GOOD, STALE, millis

NAMES = Names("works", "hall-3")
DOUBT_S = 20.0
POINTS = ("gateway.load", "plc.gas", "plc.mode", "plc.online", "gate.count", "gate.online")
VALUES = st.sampled_from((None, 1, 2, 2.5, 1 << 40, "idle", "run"))


def plain(value: Value) -> Value:
    """Return a value without its type, which only widens: 1 may be told as 1.0, or as the text 1."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return value


class Rig:
    """A fact table and a node that hears of it."""

    def __init__(self, limit: int = 10_000, rate: int = 1000, stale_after_s: float | None = None) -> None:
        self.clock = ManualClock()
        points = [PointInfo(id_, stale_after_s=None if id_.endswith("online") else stale_after_s) for id_ in POINTS]
        self.facts = FactTable(points)
        catalogue = Catalogue(points, ("plc", "gate"), ())
        self.node = Node(catalogue, self.facts, History(limit), rate, DOUBT_S)
        self.names = {entry.alias: id_ for id_, entry in catalogue.entries.items()}

    @property
    def now(self) -> Instant:
        return self.clock.now()

    def says(self, point: str, value: Value) -> bool:
        """Tell whether it was a change."""
        now = self.clock.advance(0.01)
        sample = Sample.good(point, value, now) if value is not None else Sample.bad(point, "no answer", now)
        changed = self.facts.update([sample])
        self.node.hear(changed)
        return bool(changed)

    def connect(self) -> list[Message]:
        self.node.connects(NAMES, 0)
        return list(self.node.births(self.now))


class StrictHost:
    """Believes nothing that is out of order. ``seen`` are all values with their time, ``live`` the present ones."""

    def __init__(self, names: dict[int, str]) -> None:
        self.seen: set[tuple[str, int, Value]] = set()
        self.live: dict[str, Value] = {}
        self._names = names
        self._seq: int | None = None
        self._alive: set[str] = set()

    def begins(self) -> None:
        self._seq, self._alive = None, set()

    def takes(self, message: Message) -> None:
        payload = Payload.FromString(message.body)
        _, _, verb, _, *device = message.topic.split("/")
        name = device[0] if device else ""
        if verb == "NBIRTH":
            self._alive, self._seq = {""}, -1
        assert self._seq is not None and payload.seq == (self._seq + 1) % 256
        self._seq = payload.seq
        if verb == "DBIRTH":
            self._alive.add(name)
        assert name in self._alive, f"{verb} of {name}"
        if verb == "DDEATH":
            self._alive.discard(name)
        for metric in payload.metrics:
            if metric.alias:
                self._learns(metric)

    def _learns(self, metric: Payload.Metric) -> None:
        held = metric.WhichOneof("value")
        value: Value = None if metric.is_null or held is None else getattr(metric, held)
        self.seen.add((self._names[metric.alias], metric.timestamp, plain(value)))
        if not metric.is_historical:
            self.live[self._names[metric.alias]] = plain(value)


class AnyDay(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.rig = Rig()
        self.host = StrictHost(self.rig.names)
        self.said: list[tuple[str, int, Value]] = []
        self.wire: list[tuple[float, Message]] = []
        self.is_connected = False

    @rule(point=st.sampled_from([point for point in POINTS if not point.endswith("online")]), value=VALUES)
    def something_changes(self, point: str, value: Value) -> None:
        if self.rig.says(point, value) and value is not None:
            self.said.append((point, millis(self.rig.now.utc), plain(value)))

    @rule(device=st.sampled_from(["plc", "gate"]), online=st.booleans())
    def a_device_comes_or_goes(self, device: str, online: bool) -> None:
        if not online:
            for point in POINTS:
                if point.startswith(f"{device}.") and not point.endswith("online"):
                    self.rig.says(point, None)
        self.rig.says(f"{device}.online", online)

    @rule()
    def the_node_looks(self) -> None:
        self._send(list(self.rig.node.look(self.rig.now)))

    @rule()
    def the_node_flushes(self) -> None:
        self.rig.clock.advance(0.1)
        self._send(list(self.rig.node.flush(self.rig.now)))

    @rule(seconds=st.floats(0.1, 60.0))
    def time_passes(self, seconds: float) -> None:
        self._arrives(len(self.wire))
        self.rig.clock.advance(seconds)

    @rule()
    def the_host_asks_for_births(self) -> None:
        if self.is_connected:
            self._send(list(self.rig.node.births(self.rig.now)))

    @rule()
    def it_connects(self) -> None:
        if not self.is_connected:
            self.host.begins()
            self.is_connected = True
            self._send(self.rig.connect())

    @rule(share=st.floats(0.0, 1.0))
    def the_connection_is_lost(self, share: float) -> None:
        """Part of what is on its way arrives; all of it was sent within the time that is doubted."""
        if self.is_connected:
            self._arrives(int(len(self.wire) * share))
            self.wire.clear()
            self.is_connected = False
            self.rig.node.lost(self.rig.now)

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        self.it_connects()
        for device in ("plc", "gate"):
            self.rig.says(f"{device}.online", True)
        self.the_node_looks()
        for _ in range(50):
            self.the_node_flushes()
        self._arrives(len(self.wire))
        assert self.rig.node.history.count == 0 and self.rig.node.history.take_dropped() is None
        assert Counter(self.said) - Counter(self.host.seen) == Counter()
        for point, value in self.host.live.items():
            sample = self.rig.facts.get(point, self.rig.now.mono_s)
            assert value == (plain(sample.value) if sample is not None else None), point

    def _send(self, messages: list[Message]) -> None:
        assert self.is_connected or not messages
        self.wire.extend((self.rig.now.mono_s, message) for message in messages)

    def _arrives(self, count: int) -> None:
        for _, message in self.wire[:count]:
            self.host.takes(message)
        del self.wire[:count]


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_what_is_kept_is_told_no_faster_than_the_rate() -> None:
    rig = Rig(rate=10)
    for number in range(100):
        rig.says("gateway.load", number)
    rig.connect()
    rig.clock.advance(0.5)
    told = [Payload.FromString(message.body) for message in rig.node.flush(rig.now)]
    assert [len(payload.metrics) for payload in told] == [5]
    assert all(metric.is_historical for metric in told[0].metrics)
    assert [metric.long_value for metric in told[0].metrics] == [0, 1, 2, 3, 4]


def test_what_had_to_go_is_counted_with_first_and_last() -> None:
    rig = Rig(limit=3)
    begun = rig.now.utc
    for number in range(5):
        rig.says("gateway.load", number)
    list(rig.node.look(rig.now))
    lost = rig.node.history.take_dropped()
    assert lost is not None and lost.changes == 2
    assert [round((at - begun).total_seconds(), 2) for at in (lost.first, lost.last)] == [0.01, 0.02]
    assert rig.node.history.take_dropped() is None


def test_without_history_nothing_is_missed() -> None:
    rig = Rig(limit=0)
    rig.says("gateway.load", 1)
    list(rig.node.look(rig.now))
    assert rig.node.history.count == 0 and rig.node.history.take_dropped() is None


def test_a_wider_value_is_told_by_new_births_not_cut_to_the_old_type() -> None:
    rig = Rig()
    rig.says("gateway.load", 1)
    rig.connect()
    rig.says("gateway.load", 2.5)
    (birth,) = (Payload.FromString(message.body) for message in rig.node.look(rig.now))
    load = next(metric for metric in birth.metrics if metric.name == "gateway/load")
    assert (load.datatype, load.double_value) == (10, 2.5)


def test_a_value_that_the_birth_has_no_room_for_is_never_told_as_something_else() -> None:
    rig = Rig()
    rig.says("gateway.load", 1)
    rig.connect()
    wide = Sample.good("gateway.load", "off", rig.now)
    with pytest.raises(ValueError, match="wider"):
        rig.node.catalogue.data([wide], rig.now, is_historical=False)


def test_the_answer_to_a_command_is_the_value_though_it_did_not_change() -> None:
    rig = Rig()
    rig.says("plc.online", True)
    rig.says("plc.gas", 7)
    rig.connect()
    assert list(rig.node.look(rig.now)) == [] and not rig.node.is_urgent(rig.now)
    rig.node.answer("plc.gas")
    assert rig.node.is_urgent(rig.now)
    (answer,) = (Payload.FromString(message.body) for message in rig.node.look(rig.now))
    assert [metric.long_value for metric in answer.metrics] == [7] and list(rig.node.look(rig.now)) == []


def test_a_lost_device_is_urgent() -> None:
    rig = Rig()
    rig.says("plc.online", True)
    rig.connect()
    rig.says("plc.online", False)
    assert rig.node.is_urgent(rig.now)
    assert [message.topic for message in rig.node.look(rig.now)] == ["spBv1.0/works/DDEATH/hall-3/plc"]


def test_quality_is_what_the_sample_is_whatever_its_reason_says() -> None:
    rig = Rig(stale_after_s=5.0)
    entry = rig.node.catalogue.entries["plc.gas"]
    good, now = Sample.good("plc.gas", 1, rig.now), rig.now
    lying = Sample.bad("plc.gas", "stale: the driver says", now)
    unsure = Sample("plc.gas", 1, Quality.UNCERTAIN, now.utc, now.mono_s)
    assert [entry.metric(sample, now).quality for sample in (good, lying, unsure)] == [GOOD, BAD, STALE]
    rig.facts.update([good])
    later = rig.clock.advance(6.0)
    stale = rig.facts.get("plc.gas", later.mono_s)
    assert stale is not None
    metric = entry.metric(stale, later)
    assert (metric.quality, metric.value, metric.stamp_ms) == (STALE, None, millis(now.utc) + 5000)


def test_much_at_once_is_told_in_small_parts_so_that_a_siren_never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "MOST_AT_ONCE", 10)
    monkeypatch.setattr(node, "MOST_METRICS", 4)
    rig = Rig()
    rig.says("gateway.load", -1)
    rig.connect()
    for number in range(15):
        rig.says("gateway.load", number)
    first = [len(Payload.FromString(message.body).metrics) for message in rig.node.look(rig.now)]
    assert first == [4, 4, 2] and rig.node.is_behind and rig.node.is_urgent(rig.now)
    rest = [len(Payload.FromString(message.body).metrics) for message in rig.node.look(rig.now)]
    assert rest == [4, 1] and not rig.node.is_behind and not rig.node.is_urgent(rig.now)


def test_what_was_told_but_is_more_than_can_be_told_again_is_counted_once_the_connection_breaks() -> None:
    rig = Rig(limit=5)
    rig.says("gateway.load", -1)
    rig.connect()
    for number in range(20):
        rig.says("gateway.load", number)
    list(rig.node.look(rig.now))
    list(rig.node.births(rig.now))
    assert rig.node.history.take_dropped() is None, "a host that asks for births has not lost them"
    rig.node.history.give_up()
    assert rig.node.history.take_dropped() is not None
    for number in range(20):
        rig.says("gateway.load", number)
    list(rig.node.look(rig.now))
    rig.node.lost(rig.now)
    lost = rig.node.history.take_dropped()
    assert lost is not None and lost.changes == 15 and rig.node.history.count == 5
