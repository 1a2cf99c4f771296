"""paho's client for one connection to a broker, whichever way the broker is spoken to."""

from __future__ import annotations

from typing import Literal, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.links.address import web_path
from agent.links.options import LinkOptions
from agent.links.tls import Papers


class Will(NamedTuple):
    """What the broker says for us when we are gone."""

    topic: str
    body: bytes
    retain: bool


def new_client(
    broker: str,
    options: LinkOptions,
    client_id: str,
    papers: Papers,
    will: Will,
    version: Literal[5, "3.1.1"] = 5,
    *,
    manual_ack: bool = False,
) -> mqtt.Client:
    """Return a client that was never used: one that is used again sends old messages once more."""
    path = web_path(broker)
    made = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version == 5 else True,
        protocol=mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311,
        transport="tcp" if path is None else "websockets",
        reconnect_on_failure=False,
        manual_ack=manual_ack,
    )
    if path is not None:
        made.ws_set_options(path)
    made.connect_timeout = options.patience / 2
    made.will_set(will.topic, will.body, qos=1, retain=will.retain)
    if options.username:
        made.username_pw_set(options.username, papers.secret)
    if papers.context is not None:
        made.tls_set_context(papers.context)
    return made
