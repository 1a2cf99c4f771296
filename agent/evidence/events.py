"""What the journal is told of evidence, in the words of docs/events.md."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from agent.core.model import EventDraft, Instant, Lane
from agent.evidence.item import Item, Order
from agent.evidence.quota import Doomed

CHUNK_BYTES = 200_000
"""What one message carries: a snapshot whole, of a clip a part."""
FILE = "evidence.file"


def item_event(order: Order, item: Item, now: Instant) -> EventDraft:
    """Return the event of a file that is on the disk."""
    data = {**order.row(item), "monons": int(item.taken_mono_s * 1e9), "bootid": order.boot}
    return EventDraft("evidence", Lane.EVIDENCE, order.alarm, data, now, order.zone)


def file_events(order: Order, item: Item, now: Instant) -> Iterator[EventDraft]:
    """Yield an event for each part of a file; the uplink puts the bytes in as it sends them."""
    count = max(1, -(-item.octets // CHUNK_BYTES))
    for index in range(count):
        more = {"evidenceid": item.id, "sha256": item.sha256, "wholebytes": item.octets, "index": index, "count": count}
        yield EventDraft(
            FILE,
            Lane.EVIDENCE,
            order.alarm,
            {},
            now,
            order.zone,
            attributes={**more, "datacontenttype": item.media_type},
        )


def with_content(body: Mapping[str, object], content: bytes) -> dict[str, object]:
    """Return what is sent of a file's event: with the part of ``content`` that it stands for."""
    begin = int(str(body["index"])) * CHUNK_BYTES
    return {**body, "data_base64": base64.b64encode(content[begin : begin + CHUNK_BYTES]).decode()}


def loss_event(order: Order, kinds: Sequence[str], reason: str, now: Instant) -> EventDraft:
    """Return the event of evidence that there is not, or not any more."""
    data = {"scope": "evidence", "count": len(kinds), "reason": reason, "kinds": list(kinds), **_whose(order)}
    return EventDraft("loss", Lane.ALARM, "evidence", data, now, order.zone)


def gone_events(gone: Sequence[Doomed], now: Instant) -> Iterator[EventDraft]:
    """Yield what goes: what is over its time as expired, and what goes before it as a loss, a reason each."""
    over = [each.item.id for each in gone if not each.is_loss]
    if over:
        yield EventDraft("evidence.expired", Lane.EVIDENCE, "evidence", {"count": len(over), "ids": over}, now)
    for reason in sorted({each.reason for each in gone if each.is_loss}):
        ids = [each.item.id for each in gone if each.reason == reason]
        data = {"scope": "evidence", "count": len(ids), "reason": reason, "ids": ids}
        yield EventDraft("loss", Lane.ALARM, "evidence", data, now)


def _whose(order: Order) -> dict[str, object]:
    return {"alarm_id": order.alarm, "occurrence_id": order.occurrence, "camera": order.camera}
