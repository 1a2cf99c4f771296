"""Events in the words of other platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import ConfigError
from agent.core.model import Action, Alarm, AlarmDefinition, AlarmState, Delays, EventDraft, Lane, Priority, Transition
from agent.journal import Identity
from agent.journal.envelope import encode, envelope
from agent.reports import alarm_event, device_event, output_event
from agent.uplink.mapping import PRESETS, load, messages, preset
from tests.fakes import until
from tests.servers.process import Server
from tests.servers.subscriber import Subscriber
from tests.uplink.conftest import Gateway, until_empty
from tests.uplink.fake_broker import FakeBroker

WHO, NOW = Identity("gw 1", "works", "hall", "0.1"), ManualClock().now()
TOPIC = "plant/works/gw 1"
GW, GAS = "gw_1_c486798b", "gas_HH_d1de8745"
"""Names for topics: where a character went, a sum keeps them apart."""


def raised() -> EventDraft:
    definition = AlarmDefinition("gas.HH", "level", Priority.P1, {"en": "Gas", "zh": "燃气"}, (), "")
    states = (AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED)
    transition = Transition("gas.HH", "o", Action.RAISED, *states, Priority.P1, 41.5, NOW)
    return alarm_event(transition, Alarm("gas.HH", active=True), definition, {}, Delays(0.0, 0.0, False))


def said(name: str, draft: EventDraft) -> dict[str, Any]:
    """Return what an event becomes: bodies by topic."""
    found = messages(preset(name), encode(envelope(draft, WHO, 7, "")), TOPIC)
    return {message.topic: json.loads(message.body) for message in found}


def test_thingsboard_gets_telemetry_with_the_time_of_the_event() -> None:
    ((topic, body),) = said("thingsboard", raised()).items()
    assert topic == "v1/devices/me/telemetry" and body["ts"] == int(NOW.utc.timestamp() * 1000)
    assert body["values"]["alarm_gas.HH_active"] is True and body["values"]["alarm_gas.HH"] == "unacknowledged"
    assert body["values"]["alarm"]["data"]["value"] == 41.5 and body["values"]["alarm"]["seq"] == 7
    ((_, body),) = said("thingsboard", device_event("plc-1", False, "gone", NOW)).items()
    assert body["values"] == {"device_plc-1_online": False}
    ((_, body),) = said("thingsboard", EventDraft("loss", Lane.ALARM, "spool", {"count": 3}, NOW)).items()
    assert body["values"]["event"]["data"] == {"count": 3}, "what has no form of its own still arrives"


def test_home_assistant_learns_of_an_entity_before_its_state() -> None:
    (config, found), (state, now) = said("homeassistant", raised()).items()
    assert config == f"homeassistant/binary_sensor/{GW}/alarm_{GAS}/config"
    assert state == found["state_topic"] == f"{TOPIC}/ha/alarm/{GAS}" and found["unique_id"] == f"{GW}_alarm_{GAS}"
    assert found["availability"][0]["topic"] == f"{TOPIC}/status" and found["device"]["name"] == "gw 1"
    assert now["active"] is True and now["acknowledged_by"] is None and now["value"] == 41.5
    assert all(each.retain for each in messages(preset("homeassistant"), encode(envelope(raised(), WHO, 7, "")), TOPIC))
    assert set(said("homeassistant", output_event("siren", "on", NOW, test=False))) == {  # type: ignore[arg-type]
        *(f"homeassistant/sensor/{GW}/output_siren/config", f"{TOPIC}/ha/output/siren"),
    }
    assert said("homeassistant", EventDraft("kpi", Lane.STATE, "gateway", {}, NOW)) == {}


@pytest.mark.parametrize("name", PRESETS)
def test_no_form_of_a_preset_is_left_unfilled(name: str) -> None:
    for draft in (raised(), device_event("plc", True, "", NOW), EventDraft("loss", Lane.ALARM, "spool", {}, NOW)):
        assert "${" not in json.dumps(said(name, draft))


def test_every_fault_of_a_mapping_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(
        "rules:\n"
        "  - send: [{topic: a/#, body: 1}]\n"
        "  - send: [{topic: 'a/${subject|upper}', body: {x: '${data.'}}]\n"
        "  - {wen: {type: x}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    told = [str(fault).split("mapping.yaml:")[1] for fault in caught.value.faults]
    assert told == [
        "2:20: 'a/#' is not a topic to publish to; leave out +, # and blanks",
        "3:20: '${subject|upper}' is no place; write ${path}, or ${path|slug} or ${path|ms}",
        "3:48: '${data.' is no place; write ${path}, or ${path|slug} or ${path|ms}",
        "4:6: unknown key 'wen'; did you mean 'when'?",
    ]


@pytest.mark.server
async def test_a_mapped_event_is_done_when_all_of_it_arrived(tmp_path: Path, broker: Server) -> None:
    gateway = Gateway(tmp_path, broker.port, preset="homeassistant")
    with gateway.journal, Subscriber(broker.port, "#") as home:
        gateway.journal.record([raised(), EventDraft("kpi", Lane.STATE, "x", {}, NOW)], ())
        await gateway.journal.settled()
        async with gateway.running() as uplink:
            await until_empty(gateway)
            await until(lambda: len(home.arrivals) >= 3)
            assert uplink.status.sent == 1
        topics = [arrival.topic for arrival in home.arrivals]
        assert topics[1:3] == [f"homeassistant/binary_sensor/gw/alarm_{GAS}/config", f"plant/works/gw/ha/alarm/{GAS}"]
        assert home.arrivals[1].user["replayed"] == "true"


@pytest.mark.usefixtures("fast_backoff")
async def test_a_mapped_event_of_which_one_part_is_refused_is_sent_again_whole(tmp_path: Path) -> None:
    path, refuse = tmp_path / "m.yaml", True
    path.write_text(
        "rules: [{send: [{topic: x/evt/1, body: one}, {topic: x/evt/2, body: two}, {topic: x/evt/3, body: 3}]}]"
    )
    broker = FakeBroker(lambda body: 0x97 if refuse and body.endswith(b'"two"') else 0, receive_maximum=2)
    async with broker as port:
        gateway = Gateway(tmp_path, port, mapping=path)
        with gateway.journal:
            gateway.record("a")
            async with gateway.running() as uplink:
                await until(lambda: "0x97" in uplink.status.reason)
                assert await gateway.pending() == 1
                refuse = False
                await until_empty(gateway)
    ends = [body[-5:].decode() for body in broker.bodies]
    assert ends[-3:] == ['"one"', '"two"', broker.bodies[-1][-5:].decode()] and broker.bodies[-1].endswith(b"3")
    assert broker.most_in_flight <= 2, "Receive Maximum counts messages, of whatever kind"
