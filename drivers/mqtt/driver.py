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
        self,
        device_id: str,
        device: MqttDevice,
        points: Mapping[str, MqttPoint],
        clock: Clock,
        patience_s: float | None = None,
    ) -> None:
        """``patience_s``: how long a new session waits for points that were not heard yet; None: its timeout."""
        self._id, self._device, self._clock = device_id, device, clock
        self._patience_s = device.timeout if patience_s is None else patience_s
        self._options = {f"{device_id}.{name}": point for name, point in points.items()}
        self._held: dict[str, float] = {}
        self.points = [_info(id_, point) for id_, point in self._options.items()]

    async def connect(self) -> Session:
        """Connect anew, and subscribe. Events that were held when the last connection ended still are."""
        client_id = self._device.client_id or f"anshao-{self._id}-{secrets.token_hex(4)}"
        session = MqttSession(client_id, self._device, self._options, self._clock, self._held, self._patience_s)
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        return session


def _info(id_: str, point: MqttPoint) -> PointInfo:
    return PointInfo(id_, point.unit, point.zone, point.description, point.writable, point.silence_s)
