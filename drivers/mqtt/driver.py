"""The MQTT driver: what it knows before it connects, and how it connects."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from agent.core.model import PointInfo
from agent.core.ports import Clock, Session
from drivers.mqtt.options import MqttDevice, MqttPoint
from drivers.mqtt.session import MqttSession


class MqttDriver:
    """One broker. See ``agent.core.ports.Driver``."""

    def __init__(
        self, device_id: str, device: MqttDevice, points: Mapping[str, MqttPoint], clock: Clock, client_id: str
    ) -> None:
        self._id, self._device, self._clock, self._client_id = device_id, device, clock, client_id
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self.points = [_info(id_, point) for id_, point in self._options.items()]

    async def connect(self) -> Session:
        """Connect anew, and subscribe."""
        client_id = self._client_id or f"anshao-{self._id}-{secrets.token_hex(4)}"
        session = MqttSession(client_id, self._device, self._options, self._clock)
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        return session


def _info(id_: str, point: MqttPoint) -> PointInfo:
    """Silence of an event is normal; of all else it makes the point unknown."""
    expiry_s = None if point.is_event and "expiry" not in point.model_fields_set else point.expiry
    return PointInfo(id_, point.unit, point.zone, point.description, point.writable, expiry_s)
