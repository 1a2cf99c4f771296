"""What ``site.yaml`` may not say of an OPC UA server."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.opcua.device import OpcUaDevice
from drivers.opcua.options import OpcUaPoint


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("plc:4840", "'plc:4840' is not an OPC UA endpoint; write opc.tcp://HOST:PORT/PATH"),
        ("opc.tcp://plc/line", "the usual port is 4840"),
        ("opc.tcp://op:secret@plc:4840", "is not an OPC UA endpoint"),
    ],
)
def test_endpoints(endpoint: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpcUaDevice.model_validate({"endpoint": endpoint})


@pytest.mark.parametrize("node", ["Press.Running", "ns=x;s=A", "i=abc", "nsu=;s=A", "s="])
def test_nodes(node: str) -> None:
    with pytest.raises(ValueError, match="is not a node id; write nsu=NAMESPACE-URI;s=NAME"):
        OpcUaPoint.model_validate({"node": node})


def test_a_scale_of_nothing() -> None:
    with pytest.raises(ValueError, match="'scale' must not be 0"):
        OpcUaPoint.model_validate({"node": "i=2258", "scale": 0})


def test_a_password_stands_beside_the_file_and_needs_a_name() -> None:
    data = {"endpoint": "opc.tcp://plc:4840", "username": "op", "password_file": "secrets/plc"}
    device = OpcUaDevice.model_validate(data, context={"base": Path("/site")})
    assert device.password_file == Path("/site/secrets/plc")
    with pytest.raises(ValueError, match="'password_file' is of no use without 'username'"):
        OpcUaDevice.model_validate({**data, "username": ""})
