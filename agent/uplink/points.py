"""What the gateway tells of its uplink as points."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.model import PointInfo
from agent.uplink.options import UplinkOptions

CONFIRMS = "gateway.centre_confirms"


def uplink_points(options: UplinkOptions | None) -> Iterator[PointInfo]:
    """Yield the points of an uplink; of none, that it is not connected."""
    yield PointInfo("gateway.uplink_online", description="connected to a broker")
    if options is not None and len(options.brokers) > 1:
        yield PointInfo("gateway.uplink_preferred", description="connected to the first broker of the list")
    if options is not None and options.watermark:
        yield PointInfo("gateway.unconfirmed", description="events that were sent, and the centre has not confirmed")
        yield PointInfo(CONFIRMS, description="the centre goes on confirming what was sent")
    if options is not None and options.certificate is not None:
        yield PointInfo("gateway.certificate_days", "d", description="how long the uplink's certificate is valid")
