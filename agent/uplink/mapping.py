"""Events in the words of another platform: which of them, on which topic, in which form. Data, not code.

``${path}`` in a text stands for what an event has there (``${data.alarm_id}``), ``${path|slug}`` for a form of
it, and ``${path,path}`` for the first that it has; a text that is nothing else keeps the type. What an event has not
is null, and within a longer text nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field

from agent.core.document import Document
from agent.core.errors import ConfigError
from agent.core.options import Options

PRESETS = ("homeassistant", "thingsboard")
_PLACE = re.compile(r"\$\{([\w.-]+(?:,[\w.-]+)*)(?:\|(\w+))?\}")
_SUM_DIGITS = 8
_LOOSE = re.compile(r"\$\{[^}]*\}?")


def _ms(value: Any) -> int | None:
    """Return the milliseconds since 1970 of a time."""
    return int(datetime.fromisoformat(value).timestamp() * 1000) if isinstance(value, str) else None


def _slug(value: Any) -> str:
    """Return a name that may stand in a topic; where that takes characters away, a sum keeps two names apart."""
    text = str(value or "")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text)
    return name if name == text else f"{name}_{hashlib.sha256(text.encode()).hexdigest()[:_SUM_DIGITS]}"


_FORMS: Mapping[str, Callable[[Any], int | str | None]] = {"ms": _ms, "slug": _slug}


def _places(value: Any) -> Any:
    """Raise ValueError for what looks like a place and is none."""
    for text in _texts(value):
        for found in _LOOSE.findall(text):
            place = _PLACE.fullmatch(found)
            if place is None or (place[2] and place[2] not in _FORMS):
                raise ValueError(f"{found!r} is no place; write ${{path}}, or ${{path|slug}} or ${{path|ms}}")
    return value


def _topic(value: str) -> str:
    if not value or set(value) & set("#+\0"):
        raise ValueError(f"{value!r} is not a topic to publish to; leave out +, # and blanks")
    return value


Topic = Annotated[str, AfterValidator(_topic), AfterValidator(_places)]
Form = Annotated[Any, AfterValidator(_places)]


class MessageOptions(Options):
    """A message that an event becomes; ``body`` is sent as JSON."""

    topic: Topic
    body: Form
    retain: bool = False


class RuleOptions(Options):
    """Events that are alike: those whose ``when`` holds (a path, and the value or values that are there)."""

    when: dict[str, str | bool | int | float | list[str | bool | int | float]] = Field(default_factory=dict)
    send: tuple[MessageOptions, ...] = Field(default=(), max_length=4, description="nothing: it is not sent")


class StatusOptions(Options):
    """Where the gateway says that it is there, and the will that it is not."""

    topic: Topic
    online: Form
    offline: Form
    retain: bool = True


class MappingOptions(Options):
    """The first rule that an event fits counts; what fits none is not sent, and counts as done."""

    about: str = ""
    status: StatusOptions | None = Field(default=None, description="none: as without a mapping")
    rules: tuple[RuleOptions, ...] = Field(min_length=1)


class Outgoing(NamedTuple):
    """One message."""

    topic: str
    body: bytes
    retain: bool = False


def load(path: Path) -> MappingOptions:
    """Read a mapping. Raises ConfigError with every fault."""
    found, faults = Document.load(path).read(MappingOptions)
    if found is None:
        raise ConfigError(faults)
    return found


def preset(name: str) -> MappingOptions:
    """Return one of the mappings that come with the package."""
    with resources.as_file(resources.files("agent.uplink.presets").joinpath(f"{name}.yaml")) as path:
        return load(path)


def messages(mapping: MappingOptions, body: bytes, base: str) -> list[Outgoing]:
    """Return what an event becomes; ``base`` is the gateway's own topic, ``${topic}`` in a mapping."""
    event = {**json.loads(body), "topic": base}
    rule = next((each for each in mapping.rules if _fits(each, event)), None)
    return [
        Outgoing(str(_fill(each.topic, event)), _json(_fill(each.body, event)), each.retain)
        for each in (rule.send if rule is not None else ())
    ]


def filled_status(status: StatusOptions, about: Mapping[str, Any]) -> tuple[str, bytes, bytes, bool]:
    """Return the topic, what is said there while online and while not, and whether it is retained."""
    online, offline = (_json(_fill(form, about)) for form in (status.online, status.offline))
    return str(_fill(status.topic, about)), online, offline, status.retain


def _fits(rule: RuleOptions, event: Mapping[str, Any]) -> bool:
    return all(
        _at(event, path) in (wanted if isinstance(wanted, list) else [wanted]) for path, wanted in rule.when.items()
    )


def _fill(form: Any, event: Mapping[str, Any]) -> Any:
    if isinstance(form, dict):
        return {str(_fill(key, event)): _fill(value, event) for key, value in form.items()}
    if isinstance(form, list):
        return [_fill(each, event) for each in form]
    if not isinstance(form, str):
        return form
    whole = _PLACE.fullmatch(form)
    return _value(whole, event) if whole else _PLACE.sub(lambda place: _text(_value(place, event)), form)


def _value(place: re.Match[str], event: Mapping[str, Any]) -> Any:
    found = (_at(event, path) for path in place[1].split(","))
    value = next((each for each in found if each is not None), None)
    return _FORMS[place[2]](value) if place[2] else value


def _at(event: Any, path: str) -> Any:
    for step in path.split("."):
        event = event.get(step) if isinstance(event, Mapping) else None
    return event


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
