"""Two points at one place of a device are one, whatever they are called."""

from __future__ import annotations

import pytest

from agent.core.options import PointOptions
from drivers.gpio.options import GpioPoint
from drivers.modbus.options import ModbusPoint
from drivers.mqtt.options import MqttPoint
from drivers.opcua.options import OpcUaPoint

WRITTEN = {"writable": True}


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        (ModbusPoint(address=40001), ModbusPoint(address={"table": "holding", "offset": 0}, unit="bar"), True),
        (ModbusPoint(address=40001, type="float64"), ModbusPoint(address=40004), True),
        (ModbusPoint(address=40001, type="float64"), ModbusPoint(address=40005), False),
        (ModbusPoint(address=40001, bit=1), ModbusPoint(address=40001, bit=2), False),
        (ModbusPoint(address=40001), ModbusPoint(address=40001, bit=2), True),
        (ModbusPoint(address="00001"), ModbusPoint(address=40001), False),
        (GpioPoint(line=4), GpioPoint(line=4, active_low=True), True),
        (GpioPoint(line=4), GpioPoint(line=5), False),
        (OpcUaPoint(node="ns=2;s=Horn"), OpcUaPoint(node="ns=2;s=Horn", sampling="1s"), True),
        (OpcUaPoint(node="ns=2;s=Horn"), OpcUaPoint(node="ns=2;s=Lamp"), False),
        (MqttPoint(topic="a", publish="horn", **WRITTEN), MqttPoint(topic="b", publish="horn", **WRITTEN), True),
        (MqttPoint(topic="a"), MqttPoint(topic="a"), False),  # nothing is written there
    ],
)
def test_what_a_write_changes_tells_whether_two_points_are_one(
    first: PointOptions, second: PointOptions, is_one: bool
) -> None:
    assert bool(first.places() & second.places()) is is_one
