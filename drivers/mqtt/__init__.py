"""MQTT as a source of points: wearables, badges, gas detectors, drones' ground stations."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.ports import Clock, Driver, DriverType
from drivers.mqtt.options import MqttDevice, MqttPoint

_OUTPUT_PATIENCE_S = 0.3
"""A siren must not wait for what its gadget may never tell."""


def _build(device_id: str, device: MqttDevice, points: Mapping[str, MqttPoint], clock: Clock) -> Driver:
    from drivers.mqtt.driver import MqttDriver  # paho is loaded by those who have such a device

    return MqttDriver(device_id, device, points, clock)


def _build_outputs(device_id: str, device: MqttDevice, points: Mapping[str, MqttPoint], clock: Clock) -> Driver:
    """Outputs have a connection of their own; a broker ends the older of two with the same client id."""
    from drivers.mqtt.driver import MqttDriver

    own = {"client_id": device.client_id and f"{device.client_id}-outputs", "session": 0.0}
    return MqttDriver(device_id, device.model_copy(update=own), points, clock, _OUTPUT_PATIENCE_S)


MQTT = DriverType("mqtt", MqttDevice, MqttPoint, _build, _build_outputs)
