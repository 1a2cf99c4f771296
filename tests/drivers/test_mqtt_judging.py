"""What hostile or broken messages do to a point: never an exception, never a silence that nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import pytest

from agent.core.model import Quality
from drivers.mqtt import judging
from drivers.mqtt.options import MqttDevice, MqttPoint
from tests.drivers.test_mqtt import START, at, judge, told, value_of

EPOCH = START.timestamp()


@pytest.mark.parametrize("ahead_s", [60.0, 290.0, 86_400.0 * 3650])
def test_a_clock_that_was_ahead_once_does_not_silence_the_gadget(ahead_s: float) -> None:
    who = judge(path="$.v", time="$.at", time_format="s")
    assert told(who, {"v": 1, "at": EPOCH + ahead_s}) is not None
    corrected = told(who, {"v": 2, "at": EPOCH + 1}, 1.0)
    assert corrected is not None and corrected.value == 2 and corrected.quality is Quality.GOOD


@pytest.mark.parametrize("options", [{}, {"type": "number"}, {"scale": 2.0}, {"values": {1: "on"}}])
@pytest.mark.parametrize("payload", [b"1" + b"0" * 400, b'{"v": 1' + b"0" * 400 + b"}"])
def test_a_number_beyond_all_floats_is_bad(payload: bytes, options: dict[str, object]) -> None:
    path = "$.v" if payload.startswith(b"{") else ""
    value, reason = value_of(payload, path=path, **options)
    assert value is None and "is no number" in str(reason) and len(str(reason)) < 120


@pytest.mark.parametrize("payload", [b"1e300", b"1" + b"0" * 300])
def test_a_number_that_its_scale_takes_beyond_all_floats_is_bad(payload: bytes) -> None:
    value, reason = value_of(payload, scale=1e10)
    assert value is None and reason


def test_nonsense_does_not_end_a_held_event() -> None:
    who = judge(path="$.sos", hold=10.0)
    assert told(who, {"sos": True}) is not None
    assert told(who, b'{"sos": tr', 1.0) is None and told(who, {"battery": 3}, 2.0) is None
    ended = who.release(at(10.0))
    assert ended is not None and ended.value is False
    late = told(who, b'{"sos": tr', 11.0)
    assert late is not None and late.quality is Quality.BAD


def test_an_event_without_its_time_is_not_ignored_with_those_that_are_none() -> None:
    who = judge(path="$.type", true_when=["FALL"], time="$.at", missing="ignore", hold=10.0)
    assert told(who, {"battery": 5}) is None
    timeless = told(who, {"type": "FALL"})
    assert timeless is not None and timeless.quality is Quality.BAD and "nothing at $.at" in str(timeless.reason)


def test_an_old_event_that_the_broker_kept_is_no_event() -> None:
    who = judge(path="$.sos", hold=10.0, time="$.at", time_format="s")
    assert told(who, {"sos": True, "at": EPOCH - 7200}, retained=True) is None
    live = told(who, {"sos": True, "at": EPOCH - 7200})
    assert live is not None and live.quality is Quality.BAD, "a wrong clock must not hide a pressed button"


@pytest.mark.parametrize("word", [1, "ON", "true"])
def test_an_event_is_true_or_false_whatever_the_gadget_sends(word: object) -> None:
    who = judge(path="$.sos", hold=10.0)
    pressed = told(who, {"sos": word})
    assert pressed is not None and pressed.value is True
    assert who.release(at(10.0)) is not None


@pytest.mark.parametrize(
    ("payload", "true_when", "value"),
    [
        (b"1", ["1"], True),
        (b"true", ["true"], True),
        (b"1.0", [1], True),
        ({"a": 1}, [1.0], True),
        ({"a": True}, [1], False),
        ({"a": "SOS"}, ["sos"], False),
    ],
)
def test_what_counts_as_true(payload: object, true_when: list[object], value: bool) -> None:
    assert value_of(payload, true_when=true_when, path="$.a" if isinstance(payload, dict) else "") == (value, None)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_time_at_the_end_of_the_calendar_is_none(when: str) -> None:
    value, reason = value_of({"v": 1, "at": when}, path="$.v", time="$.at")
    assert value is None and "is no time" in str(reason)


def test_source_time_is_utc_whatever_the_zone_of_the_gadget() -> None:
    sample = told(judge(path="$.v", time="$.at"), {"v": 1, "at": "2026-11-24T16:00:00+08:00"})
    assert sample is not None and sample.source_time == START and sample.source_time.tzinfo is UTC


def test_made_up_topics_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "MOST_TOPICS", 50)
    who = judge(topic="badge/#", path="$.v", time="$.at", time_format="s")
    for number in range(200):
        told(who, {"v": 1, "at": EPOCH}, topic=f"badge/{number}")
    assert told(who, {"v": 1, "at": EPOCH - 1}, topic="badge/199") is None, "the recent ones are remembered"
    assert who.known_topics == 50


def faults() -> Iterator[tuple[dict[str, object], str]]:
    yield {"topic": "$share/group/a"}, "shared subscription"
    yield {"topic": "a" * 70_000}, "longer than 65535"
    yield {"hold": 5.0, "type": "number"}, "'hold' makes an event"
    yield {"hold": 5.0, "values": {1: "a"}}, "'hold' makes an event"
    yield {"writable": True, "publish": "a\0b"}, "is not a topic to write to"


@pytest.mark.parametrize(("options", "message"), list(faults()))
def test_what_a_point_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MqttPoint.model_validate({"topic": "t", **options})


@pytest.mark.parametrize("broker", ["mqtt://host:0", "mqtt://host:70000"])
def test_a_port_that_is_none(broker: str) -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        MqttDevice.model_validate({"broker": broker})


@pytest.mark.parametrize("options", [{}, {"type": "string"}])
def test_a_text_is_short_and_can_be_written_to_a_file(options: dict[str, object]) -> None:
    value, reason = value_of(b'{"v": "a\\ud800z"}', path="$.v", **options)
    assert value == "a?z" and reason is None
    value, reason = value_of(b"x" * 5000, **options)
    assert value is None and "5000 characters is no value" in str(reason)
    assert value_of(b"x" * 5000, true_when=["SOS"]) == (False, None)


def test_the_reason_does_not_repeat_a_topic_that_has_no_end() -> None:
    sample = told(judge(path="$.v"), b"{", topic="t" * 60_000)
    assert sample is not None and len(str(sample.reason)) < 300
