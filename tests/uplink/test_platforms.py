"""What the presets send, against what was recorded of the platforms themselves or of their own library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.uplink.mapping import filled_status, messages, preset
from tests.uplink.shown import EVENTS, TOPIC, sent

SHOWN: dict[str, Any] = json.loads(Path(__file__).with_name("homeassistant.json").read_text(encoding="utf-8"))
FORM = preset("homeassistant")
LIBRARY = {"ts": 1451649600512, "values": {"alarm_gas.HH": "unacknowledged", "alarm_gas.HH_active": True, "alarm": {}}}
"""As ThingsBoard's own library (tb-mqtt-client 1.13.14) sent it to a broker: this, in a list, on telemetry."""


@pytest.mark.parametrize("case", SHOWN["cases"], ids=lambda case: str(case["event"]))
def test_home_assistant_is_sent_what_it_showed_rightly(case: dict[str, Any]) -> None:
    """A preset that changes must be shown to Home Assistant anew, and recorded."""
    assert case["sent"] == json.loads(json.dumps(sent("homeassistant", case["event"])))
    config, state = (message["body"] for message in case["sent"])
    attributes = case["shown"]["attributes"]
    assert attributes.items() >= state.items()
    assert attributes["friendly_name"] == f"{SHOWN['device']['name']} {config['name']}"
    value = next(state[key] for key in ("active", "online", "wanted") if key in state)
    assert case["shown"]["state"] == {True: "on", False: "off"}.get(value, value)


@pytest.mark.parametrize("case", SHOWN["cases"], ids=lambda case: str(case["event"]))
def test_of_a_gateway_that_is_gone_home_assistant_shows_nothing(case: dict[str, Any]) -> None:
    assert case["gateway killed"] == "unavailable"
    assert case["home assistant restarted"] in ("on", "off")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("aB9._-+/#燃气 "), min_size=1, max_size=5), min_size=2, max_size=6, unique=True)
)
def test_no_two_alarms_become_one_entity(names: list[str]) -> None:
    bodies = [{"type": "anshao.alarm.transition.v1", "gateway": "gw", "data": {"alarm_id": name}} for name in names]
    found = [messages(FORM, json.dumps(body).encode(), TOPIC) for body in bodies]
    assert len({config.topic for config, _ in found}) == len({state.topic for _, state in found}) == len(names)
    assert not any(set("+#") & set(message.topic) for pair in found for message in pair)


def test_thingsboard_is_sent_what_its_own_library_sends() -> None:
    ((message,), (lost,)) = (sent("thingsboard", event) for event in ("raised", "lost"))
    assert message["topic"] == "v1/devices/me/telemetry"
    assert message["body"].keys() == LIBRARY.keys()
    assert {key: type(value) for key, value in message["body"]["values"].items()} == {
        key: type(value)
        for key, value in dict(LIBRARY["values"]).items()  # type: ignore[call-overload]
    }
    assert lost["body"]["values"] == {"device_plc-1_online": False}


def test_nothing_tells_thingsboard_that_a_gateway_is_online() -> None:
    """It takes no last will, so that it would be so for ever."""
    status = preset("thingsboard").status
    assert status is not None
    topic, online, offline, retain = filled_status(status, {"topic": TOPIC})
    assert (topic, online, retain) == ("v1/devices/me/attributes", offline, False) and b"online" not in online


def test_every_event_was_shown() -> None:
    assert [case["event"] for case in SHOWN["cases"]] == list(EVENTS)
