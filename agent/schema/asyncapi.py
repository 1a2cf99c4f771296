"""AsyncAPI 3.0 of everything that goes over the broker, with JSON Schema made from the types of the code."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from agent.commands.request import Request
from agent.core.model import Lane
from agent.schema.data import CommandAnswer
from agent.schema.events import KINDS, Envelope, FilePart
from agent.uplink.watermark import Confirmation

VERSION = "1.0.0"
"""Of what is described here: a field more is a minor version, another meaning a major one."""
_SCHEMAS = "#/components/schemas"
_BASE = "plant/{site}/{gateway}"


class Status(TypedDict):
    """Retained; the will says false with the same ``session``. A death of another session than the last is old."""

    online: bool
    session: str


def asyncapi() -> dict[str, Any]:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "anshao",
            "version": VERSION,
            "description": "Events of an edge gateway over MQTT 5 at QoS 1, and what a centre may say to it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": {"broker": {"host": "centre.example:8883", "protocol": "secure-mqtt", "protocolVersion": "5"}},
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of event, whole."""
    document = asyncapi()["components"]
    return {**document["messages"][kind]["payload"], "components": {"schemas": document["schemas"]}}


def _channels() -> dict[str, Any]:
    lanes = {
        str(lane): _channel(f"evt/{lane}", [kind for kind, each in KINDS.items() if each.lane is lane])
        for lane in Lane
        if lane is not Lane.TELEMETRY
    }
    others = {"status": "status", "ack": "confirmation", "cmd": "request", "answer": "answer"}
    return {**lanes, **{topic: _channel(topic, [message]) for topic, message in others.items()}}


def _channel(topic: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": f"{_BASE}/{topic}",
        "parameters": {"site": {"description": "gateway.site in site.yaml"}, "gateway": {"description": "gateway.id"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operations() -> dict[str, Any]:
    told = {f"tell_{name}": _operation("send", name) for name in ("alarm", "state", "evidence", "status")}
    heard = {f"hear_{name}": _operation("receive", name) for name in ("ack", "cmd")}
    heard["hear_cmd"]["reply"] = {"channel": {"$ref": "#/channels/answer"}}
    return {**told, **heard}


def _operation(action: str, channel: str) -> dict[str, Any]:
    """Only that a gateway is there, and what a centre has, is kept by the broker."""
    bindings = {"mqtt": {"qos": 1, "retain": channel in ("status", "ack")}}
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "bindings": bindings}


def _messages() -> dict[str, Any]:
    events = {kind: {"name": f"anshao.{kind}.v1", "payload": _payload(kind)} for kind in KINDS}
    plain = {"status": "Status", "confirmation": "Confirmation", "request": "Request", "answer": "CommandAnswer"}
    others = {
        name: {"name": name, "contentType": "application/json", "payload": {"$ref": f"{_SCHEMAS}/{found}"}}
        for name, found in plain.items()
    }
    return {**events, **others}


def _payload(kind: str) -> dict[str, Any]:
    lane, data = KINDS[kind]
    own: dict[str, Any] = {"type": {"const": f"anshao.{kind}.v1"}, "lane": {"const": str(lane)}}
    parts = [{"$ref": f"{_SCHEMAS}/Envelope"}]
    if data is None:
        parts.append({"$ref": f"{_SCHEMAS}/FilePart"})
    else:
        own["data"] = {"$ref": f"{_SCHEMAS}/{data.__name__}"}
    required = ["data"] if data is not None else []
    return {"allOf": [*parts, {"type": "object", "properties": own, "required": required}]}


@cache
def _schemas() -> dict[str, Any]:
    """Return the schemas by the name of their type, in that order: the same code makes the same document."""
    types = [kind.data for kind in KINDS.values() if kind.data is not None]
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (found.__name__, "validation", TypeAdapter(found))
        for found in (*types, Envelope, FilePart, Status, Request, Confirmation, CommandAnswer)
    ]
    _, made = TypeAdapter.json_schemas(adapters, ref_template=f"{_SCHEMAS}/{{model}}")
    return {name: _terse(found) for name, found in sorted(made["$defs"].items())}


def _terse(found: Any) -> Any:
    """Leave out titles, which repeat the names, and the marks of code in what docstrings say."""
    if isinstance(found, list):
        return [_terse(each) for each in found]
    if not isinstance(found, dict):
        return found
    kept = {name: _terse(each) for name, each in found.items() if name != "title" or not isinstance(each, str)}
    if isinstance(kept.get("description"), str):
        kept["description"] = kept["description"].replace("``", "`")
    return kept
