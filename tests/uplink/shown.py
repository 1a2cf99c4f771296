"""The events that were shown to Home Assistant (homeassistant.json), and what a preset makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.core.clock import ManualClock
from agent.core.model import Action, Alarm, AlarmDefinition, AlarmState, Delays, EventDraft, Priority, Transition
from agent.journal import Identity
from agent.journal.envelope import encode, envelope
from agent.reports import alarm_event, device_event, output_event
from agent.uplink.mapping import messages, preset

WHO, NOW = Identity("gw 1", "works", "hall", "0.1"), ManualClock().now()
TOPIC = "plant/works/gw 1"


def alarm(name: str, words: Mapping[str, str], active: bool, value: float) -> EventDraft:
    """Return an alarm that was raised, or that is over."""
    definition = AlarmDefinition(name, "level", Priority.P1, words, (), "")
    before, after = AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED
    change = (Action.RAISED, before, after) if active else (Action.CLEARED, after, AlarmState.RETURNED)
    transition = Transition(name, "o", *change, Priority.P1, value, NOW)
    return alarm_event(transition, Alarm(name, active=active), definition, {}, Delays(0.0, 0.0, False))


GAS = {"en": "Gas at the furnace", "zh": "炉前燃气"}
EVENTS: Mapping[str, EventDraft] = {
    "raised": alarm("gas.HH", GAS, True, 41.5),
    "ended": alarm("gas.HH", GAS, False, 20.0),
    "chinese": alarm("燃气.高", {"zh": "燃气"}, True, 41.5),
    "online": device_event("plc-1", True, "", NOW),
    "lost": device_event("plc-1", False, "gone", NOW),
    "sounding": output_event("siren", "on", NOW, test=False),  # type: ignore[arg-type]
}


def sent(name: str, event: str) -> list[dict[str, Any]]:
    """Return what a preset makes of one of ``EVENTS``, without its time."""
    found = messages(preset(name), encode(envelope(EVENTS[event], WHO, 7, "")), TOPIC)
    parts = [(message, json.loads(message.body)) for message in found]
    return [
        {"topic": message.topic, "retain": message.retain, "body": {k: v for k, v in body.items() if k != "time"}}
        for message, body in parts
    ]
