"""Envelopes as bytes, fast: what two events of a kind have in common is encoded once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from pydantic_core import PydanticSerializationError, to_json

from agent.core.model import EventDraft, Instant, Lane
from agent.journal.envelope import Identity, clock_state, encode, envelope, uuid7

_FIELDS = ("data", "id", "monons", "prevhash", "seq", "subject", "time")
"""What differs from event to event, in the order in which the envelope has it."""
_PLACES = (b"%b", b'"%b"', b"%d", b'"%b"', b"%d", b"%b", b"%b")
_PLACE = re.compile(rb'"\x7f(?:' + "|".join(_FIELDS).encode() + rb')\x7f"')
_ANY = Instant(0.0, datetime(2026, 1, 1, tzinfo=UTC))
_MOST_TEMPLATES = 1000

_Common = tuple[str, Lane, str, bool, str]
"""Kind, lane, zone, test, revision of the rules."""


class Composer:
    """Writes what ``encode(envelope(…))`` would write; the order of the keys within ``data`` is the event's own."""

    def __init__(self, who: Identity) -> None:
        self._who = who
        self._templates: dict[_Common, bytes] = {}
        self._clock = clock_state()

    def begin(self) -> None:
        """Be called before each batch: what the clock is worth is asked once for all of it."""
        clock = clock_state()
        if clock != self._clock or len(self._templates) >= _MOST_TEMPLATES:
            self._templates.clear()
        self._clock = clock

    def __call__(self, draft: EventDraft, lane_seq: int, previous_hash: str) -> tuple[str, int, bytes]:
        """Return the event's id, its wall clock in ns, and the envelope's bytes.

        Raises TypeError, ValueError, RecursionError for data that is no JSON.
        """
        wall_ms, wall_ns, mono_ns, time = _moment(draft.at)
        if draft.attributes:
            body = envelope(draft, self._who, lane_seq, previous_hash)
            return body["id"], wall_ns, encode(body)
        common = (draft.kind, draft.lane, draft.zone, draft.test, draft.rules_revision)
        template = self._templates.get(common)
        if template is None:
            template = self._templates[common] = _template(self._who, common, self._clock)
        id_ = uuid7(wall_ms)
        values = (
            *(_data(draft.data), id_.encode(), mono_ns, previous_hash.encode()),
            *(lane_seq, _text(draft.subject), time),
        )
        return id_, wall_ns, template % values


def _template(who: Identity, common: _Common, clock: str) -> bytes:
    """Return the envelope with a place for each field that differs."""
    kind, lane, zone, test, rules = common
    body = envelope(EventDraft(kind, lane, "", {}, _ANY, zone, test, rules), who, 0, "")
    body.update({field: f"\x7f{field}\x7f" for field in _FIELDS}, clock=clock)
    parts = [part.replace(b"%", b"%%") for part in _PLACE.split(encode(body))]
    return b"".join(value for pair in zip(parts, (*_PLACES, b""), strict=True) for value in pair)


@lru_cache(maxsize=64)
def _moment(at: Instant) -> tuple[int, int, int, bytes]:
    """Return wall clock in ms and in ns, monotonic ns, and the time as JSON."""
    wall_s = at.utc.timestamp()
    return int(wall_s * 1000), int(wall_s * 1e9), int(at.mono_s * 1e9), b'"%b"' % at.utc.isoformat().encode()


@lru_cache(maxsize=4096)
def _text(text: str) -> bytes:
    return encode(text)


def _data(data: Mapping[str, object]) -> bytes:
    try:
        return to_json(data, fallback=str, inf_nan_mode="constants")
    except PydanticSerializationError:  # a text that is no Unicode, say; the other encoder is slower and knows more
        return encode(dict(data))
