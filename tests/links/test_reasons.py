"""Why an MQTT connection fails, in words of an engineer: neither numbers of errors, nor what a library calls them."""

from __future__ import annotations

import asyncio

import pytest

from agent.core.clock import SystemClock
from agent.links.arrivals import LinkLost
from agent.links.tls import papers
from agent.uplink.mqtt_link import MqttLink
from agent.uplink.options import UplinkOptions
from tests.servers.process import free_port


async def refusal(port: int) -> str:
    options = UplinkOptions.model_validate({"brokers": [f"mqtt://127.0.0.1:{port}"], "patience": 5.0})
    broker = options.brokers[0]
    link = MqttLink(broker, options, "gw", "plant/works/gw", papers(options, broker, SystemClock().now().utc))
    with pytest.raises(LinkLost) as caught:
        await link.open()
    await link.close(farewell=False)
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x20\x03\x00\x87\x00", "the broker refuses: Not authorized; are username and password right?"),
        (b"\x20\x03\x00\x86\x00", "the broker refuses: Bad user name or password; are username and password right?"),
        (b"\x20\x03\x00\x89\x00", "the broker refuses: Server busy"),
        (b"", "the connection was lost"),
    ],
)
async def test_what_a_broker_answers(answer: bytes, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = int(server.sockets[0].getsockname()[1])
        assert await refusal(port) == f"mqtt://127.0.0.1:{port}: {words}"


async def test_nobody_listens() -> None:
    port = free_port()
    words = "Connection refused; is it on, and are host and port right?"
    assert await refusal(port) == f"mqtt://127.0.0.1:{port}: {words}"
