"""Which evidence has to go. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.evidence.item import Item, Order
from agent.evidence.options import EvidenceOptions

MB = 1_000_000
_CLOCK_SET = datetime(2026, 1, 1, tzinfo=UTC)
EXPIRED = "its time is over"


@dataclass(frozen=True, slots=True)
class Doomed:
    """An item that goes, and why."""

    order: Order
    item: Item
    reason: str

    @property
    def is_loss(self) -> bool:
        """Tell whether it goes before its time."""
        return self.reason != EXPIRED


def doomed(orders: Iterable[Order], options: EvidenceOptions, now: datetime, missing_mb: float = 0.0) -> list[Doomed]:
    """Return what goes: what is over its time, then what is too much, of the least urgent alarms the oldest first.

    ``missing_mb`` is how much more must go for the disk's sake. While the clock was never set nothing is over its time.
    """
    everything = [(order, item) for order in orders for item in order.items]
    over = [pair for pair in everything if now > _CLOCK_SET and pair[1].expires <= now]
    left = [pair for pair in everything if pair not in over]
    left.sort(key=lambda pair: (-pair[0].priority, pair[1].taken_at))
    result = [Doomed(*pair, EXPIRED) for pair in over]
    limit: float
    for camera in sorted({order.camera for order, _ in left}):
        of_camera = [pair for pair in left if pair[0].camera == camera]
        limit = options.camera_mb * MB
        result += _too_much(of_camera, limit, f"evidence of {camera} takes more than {options.camera_mb} MB")
    left = [pair for pair in left if not any(pair[1] is each.item for each in result)]
    result += list(_too_much(left, options.total_mb * MB, f"evidence takes more than {options.total_mb} MB"))
    left = [pair for pair in left if not any(pair[1] is each.item for each in result)]
    if missing_mb > 0:
        limit = sum(item.octets for _, item in left) - missing_mb * MB
        result += list(_too_much(left, limit, f"the disk has less than {options.free_mb} MB left"))
    return result


def _too_much(pairs: Sequence[tuple[Order, Item]], limit: float, reason: str) -> Iterator[Doomed]:
    excess = sum(item.octets for _, item in pairs) - limit
    for order, item in pairs:
        if excess <= 0:
            return
        excess -= item.octets
        yield Doomed(order, item, reason)
