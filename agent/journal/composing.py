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
_PLACE = re.compile(r'"\x7f(?:' + "|".join(_FIELDS) + r')\x7f"')
_ANY = Instant(0.0, datetime(2026, 1, 1, tzinfo=UTC))
_MOST_TEMPLATES = 1000

_Common = tuple[str, Lane, str, bool, str, str]
"""Kind, lane, zone, test, revision of the rules, state of the clock."""


class Composer:
    """Writes what ``encode(envelope(…))`` would write; the order of the keys within ``data`` is the event's own."""

    def __init__(self, who: Identity) -> None:
        self._who = who
        self._templates: dict[_Common, list[bytes]] = {}

    def __call__(self, draft: EventDraft, lane_seq: int, previous_hash: str) -> tuple[str, bytes]:
        """Return the event's id and the envelope's bytes.

        Raises TypeError, ValueError, RecursionError for data that is no JSON.
        """
        if draft.attributes:
            body = envelope(draft, self._who, lane_seq, previous_hash)
            return body["id"], encode(body)
        parts = self._template((draft.kind, draft.lane, draft.zone, draft.test, draft.rules_revision, clock_state()))
        wall_ms, mono_ns, time = _moment(draft.at)
        id_ = uuid7(wall_ms)
        pieces = (
            *(parts[0], _data(draft.data), parts[1], b'"%b"' % id_.encode(), parts[2], mono_ns, parts[3]),
            *(b'"%b"' % previous_hash.encode(), parts[4], b"%d" % lane_seq, parts[5], _text(draft.subject)),
            *(parts[6], time, parts[7]),
        )
        return id_, b"".join(pieces)

    def _template(self, common: _Common) -> list[bytes]:
        """Return what stands between the fields that differ."""
        found = self._templates.get(common)
        if found is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            found = self._templates[common] = _split(self._who, common)
        return found


def _split(who: Identity, common: _Common) -> list[bytes]:
    kind, lane, zone, test, rules, clock = common
    body = envelope(EventDraft(kind, lane, "", {}, _ANY, zone, test, rules), who, 0, "")
    body.update({field: f"\x7f{field}\x7f" for field in _FIELDS}, clock=clock)
    return [part.encode() for part in _PLACE.split(encode(body).decode())]


@lru_cache(maxsize=64)
def _moment(at: Instant) -> tuple[int, bytes, bytes]:
    """Return wall clock in ms, monotonic ns and the time as JSON."""
    return int(at.utc.timestamp() * 1000), b"%d" % int(at.mono_s * 1e9), b'"%b"' % at.utc.isoformat().encode()


@lru_cache(maxsize=4096)
def _text(text: str) -> bytes:
    return encode(text)


def _data(data: Mapping[str, object]) -> bytes:
    try:
        return to_json(data, fallback=str, inf_nan_mode="constants")
    except PydanticSerializationError:  # a text that is no Unicode, say; the other encoder is slower and knows more
        return encode(dict(data))
