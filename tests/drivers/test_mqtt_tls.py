"""A local broker behind TLS and web sockets."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.ports import Driver
from drivers import REGISTRY
from drivers.mqtt.options import MqttDevice
from tests.drivers.rigs import Silent, fetch_until
from tests.drivers.test_modbus_lines import certificate
from tests.servers.mosquitto import mosquitto
from tests.servers.process import free_port

__all__ = ["certificate"]
KIND = REGISTRY["mqtt"]
ECHO = {"topic": "horn", "publish": "horn", "writable": True}


@pytest.fixture
def ports(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[dict[str, int]]:
    """One mosquitto that listens in every way; TLS asks for a certificate of ours as well."""
    cert, key = certificate
    tls = (f"cafile {cert}", f"certfile {cert}", f"keyfile {key}")
    found = {"mqtts": free_port(), "ws": free_port(), "wss": free_port()}
    server = mosquitto(
        tmp_path,
        *(f"listener {found['mqtts']} 127.0.0.1", *tls, "require_certificate true"),
        *(f"listener {found['ws']} 127.0.0.1", "protocol websockets"),
        *(f"listener {found['wss']} 127.0.0.1", "protocol websockets", *tls),
    )
    server.start()
    for port in found.values():
        await_listener(port)
    yield {**found, "mqtt": server.port}
    server.kill()


def await_listener(port: int) -> None:
    """mosquitto opens its listeners one after the other."""
    until_s = time.monotonic() + 5.0
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < until_s, f"nothing listens at {port}"
            time.sleep(0.02)


def driver(scheme: str, port: int, **device: object) -> Driver:
    options = {"broker": f"{scheme}://127.0.0.1:{port}", "timeout": 2.0, **device}
    return KIND.build(
        "gate", KIND.device.model_validate(options), {"horn": KIND.point.model_validate(ECHO)}, SystemClock()
    )


async def use(made: Driver) -> None:
    """Write and hear at the same time: TLS connections are not made for two threads."""
    session = await made.connect()
    for value in range(30):
        await session.write("gate.horn", value)
    await fetch_until(session, "gate.horn", 29)
    await session.close()


@pytest.mark.server
@pytest.mark.parametrize("version", [5, "3.1.1"])
async def test_every_way_to_a_broker(
    ports: dict[str, int],
    certificate: tuple[Path, Path],
    version: object,
) -> None:
    cert, key = certificate
    ours = {"ca": cert, "certificate": cert, "key": key, "version": version}
    await use(driver("ws", ports["ws"], version=version))
    await use(driver("wss", ports["wss"], ca=cert, version=version))
    await use(driver("mqtts", ports["mqtts"], **ours))


@pytest.mark.server
async def test_who_is_not_trusted_is_not_connected(
    ports: dict[str, int],
    certificate: tuple[Path, Path],
) -> None:
    cert, key = certificate
    with pytest.raises(NotConnected, match="CERTIFICATE_VERIFY_FAILED"):
        await driver("mqtts", ports["mqtts"]).connect()
    with pytest.raises(NotConnected):
        await driver("mqtts", ports["mqtts"], ca=cert).connect()
    for scheme, port in (("mqtts", ports["mqtt"]), ("mqtt", ports["mqtts"]), ("ws", ports["mqtt"])):
        tls = {"ca": cert} if scheme == "mqtts" else {}
        with pytest.raises(NotConnected):
            await driver(scheme, port, **tls).connect()
    with pytest.raises(NotConnected, match="No such file"):
        await driver("mqtts", ports["mqtts"], ca=cert.parent / "none.pem").connect()
    with pytest.raises(NotConnected):
        await driver("mqtts", ports["mqtts"], ca=key).connect()


@pytest.mark.parametrize("scheme", ["mqtts", "ws", "wss"])
async def test_who_accepts_and_says_nothing_is_not_connected_in_time(scheme: str) -> None:
    async with Silent() as port, asyncio.timeout(2.0):
        with pytest.raises(NotConnected):
            await driver(scheme, port, timeout=0.5, keepalive=3600.0).connect()


@pytest.mark.parametrize("scheme", ["mqtt", "ws"])
def test_certificates_on_an_open_line_are_a_mistake(scheme: str) -> None:
    with pytest.raises(ValueError, match=f"{scheme}s://"):
        MqttDevice.model_validate({"broker": f"{scheme}://host", "ca": "ca.pem"})
