"""Journal → MQTT 5, alarms first. An event counts as sent only when the broker said 0x00."""

from __future__ import annotations

from agent.uplink.options import UplinkOptions
from agent.uplink.points import uplink_points
from agent.uplink.status import UplinkStatus
from agent.uplink.uplink import Uplink

__all__ = ["Uplink", "UplinkOptions", "UplinkStatus", "uplink_points"]
