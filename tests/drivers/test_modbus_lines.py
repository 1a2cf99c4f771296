"""Serial lines, ASCII and TLS, against servers that we did not write; and every way to write."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.ports import Driver
from drivers import REGISTRY
from drivers.modbus.link import Echo
from tests.drivers.rigs import build_libmodbus, libmodbus
from tests.servers.process import Server, free_port

POINTS = {
    "seven": {"address": {"table": "holding", "offset": 7}},
    "speed": {"address": {"table": "holding", "offset": 20}, "type": "float32", "word_order": "CDAB", "writable": True},
    "one": {"address": {"table": "holding", "offset": 30}, "write": "multiple", "writable": True},
    "siren": {"address": {"table": "coil", "offset": 3}, "writable": True},
    "horn": {"address": {"table": "coil", "offset": 4}, "write": "multiple", "writable": True},
    "flag": {"address": {"table": "holding", "offset": 40}, "bit": 5, "writable": True},
    "mark": {"address": {"table": "holding", "offset": 40}, "bit": 9, "write": "read-modify-write", "writable": True},
    "flags": {"address": {"table": "holding", "offset": 40}},
    "turned": {"address": {"table": "holding", "offset": 41}, "bit": 0, "word_order": "BADC", "writable": True},
    "raw": {"address": {"table": "holding", "offset": 41}},
}


def driver(protocol: str = "modbus-tcp", **device: object) -> Driver:
    kind = REGISTRY[protocol]
    options = kind.device.model_validate({"poll": 0.05, "timeout": 0.5, **device})
    return kind.build("plc", options, {n: kind.point.model_validate(p) for n, p in POINTS.items()}, SystemClock())


async def use(made: Driver) -> None:
    """Read and write everything once."""
    session = await made.connect()
    try:
        assert {sample.point: sample.value for sample in await session.read()}["plc.seven"] == 7
        for point, value in (("speed", 21.5), ("one", 77), ("siren", True), ("horn", True)):
            await session.write(f"plc.{point}", value)
            assert [sample.value for sample in await session.fetch([f"plc.{point}"])] == [value]
    finally:
        await session.close()


@pytest.fixture(scope="module")
def slave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_libmodbus(tmp_path_factory.mktemp("rtu"), "libmodbus_rtu")


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Server]:
    ours, theirs = (f"pty,rawer,echo=0,link={tmp_path}/{end}" for end in ("ours", "theirs"))
    server = Server(["socat", "-d", "-d", ours, theirs], 0, ready="starting data transfer loop")
    server.start()
    yield server
    server.kill()


def serial(tmp_path: Path, **device: object) -> Driver:
    return driver("modbus-serial", port=f"{tmp_path}/ours", baudrate=19200, parity="none", **device)


@pytest.mark.server
async def test_a_serial_line_its_writes_and_its_bits(cable: Server, slave: Path, tmp_path: Path) -> None:
    plc = Server([str(slave), f"{tmp_path}/theirs", "1"], 0)
    plc.start()
    try:
        await use(serial(tmp_path))
        session = await serial(tmp_path).connect()
        for point, value in (("flag", True), ("mark", True), ("flag", False)):
            await session.write(f"plc.{point}", value)
        assert [sample.value for sample in await session.fetch(["plc.flags"])] == [40 & ~32 | 512]
        await session.write("plc.turned", True)
        assert [sample.value for sample in await session.fetch(["plc.turned", "plc.raw"])] == [True, 41 | 256]
        await session.close()
    finally:
        plc.kill()


@asynccontextmanager
async def relay(near: Path, far: Path) -> AsyncIterator[None]:
    """Carry octets between two terminals, and echo those from the near one."""
    ends = [os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK) for path in (near, far)]
    loop = asyncio.get_running_loop()

    def heard(end: int) -> None:
        data = os.read(ends[end], 4096)
        for other in (ends[0], ends[1]) if end == 0 else (ends[0],):
            os.write(other, data)

    for end in (0, 1):
        loop.add_reader(ends[end], heard, end)
    try:
        yield
    finally:
        for fd in ends:
            loop.remove_reader(fd)
            os.close(fd)


@pytest.mark.server
async def test_an_adapter_that_echoes_confirms_no_write(slave: Path, tmp_path: Path) -> None:
    pairs = [[f"pty,rawer,echo=0,link={tmp_path}/{end}" for end in ends] for ends in (("ours", "a"), ("b", "theirs"))]
    cables = [Server(["socat", "-d", "-d", *ends], 0, ready="starting data transfer loop") for ends in pairs]
    plc = Server([str(slave), f"{tmp_path}/theirs", "1"], 0)
    for server in (*cables, plc):
        server.start()
    try:
        async with relay(tmp_path / "a", tmp_path / "b"):
            await use(serial(tmp_path, echo=True))
            session = await serial(tmp_path, echo=True).connect()
            await session.write("plc.siren", False)
            plc.kill()
            with pytest.raises(NotConnected, match="no answer"):
                await session.write("plc.siren", True)
            await session.close()
    finally:
        for server in (plc, *cables):
            server.kill()


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=40), st.lists(st.integers(1, 9), max_size=9))
def test_an_echo_is_taken_out_once_however_it_is_cut(sent: bytes, answer: bytes, sizes: list[int]) -> None:
    passed = bytearray()
    echo = Echo(passed.extend)
    for _ in range(2):
        echo.sent(sent)
        stream = sent + answer
        for size in sizes:
            echo.heard(stream[:size])
            stream = stream[size:]
        echo.heard(stream)
    assert passed == answer * 2


@pytest.mark.server
async def test_a_pulled_plug_and_a_dead_slave_are_lost_and_come_back(
    cable: Server, slave: Path, tmp_path: Path
) -> None:
    made = serial(tmp_path, timeout=0.3)
    session = await made.connect()
    started_s = time.monotonic()
    with pytest.raises(NotConnected, match="no answer from unit 1"):
        await session.read()
    assert time.monotonic() - started_s < 1.0
    await session.close()
    plc = Server([str(slave), f"{tmp_path}/theirs", "1"], 0)
    plc.start()
    session = await made.connect()
    await session.read()
    plc.kill()
    cable.kill()
    with pytest.raises(NotConnected):
        while True:
            await session.read()
    await session.close()
    with pytest.raises(NotConnected, match="cannot be opened"):
        await made.connect()
    cable.start()
    plc.start()
    try:
        await use(made)
    finally:
        plc.kill()


@pytest.mark.server
async def test_a_port_that_another_program_has_open_is_refused(cable: Server, tmp_path: Path) -> None:
    import serial as pyserial

    with (
        pyserial.Serial(f"{tmp_path}/ours", exclusive=True),
        pytest.raises(NotConnected, match="another program has it open"),
    ):
        await serial(tmp_path).connect()


@pytest.mark.server
async def test_two_devices_on_one_line_must_agree_on_its_settings(cable: Server, tmp_path: Path) -> None:
    first = await serial(tmp_path).connect()
    with pytest.raises(NotConnected, match="open for another device with other settings"):
        await driver("modbus-serial", port=f"{tmp_path}/ours", baudrate=9600).connect()
    await first.close()


@asynccontextmanager
async def ascii_server() -> AsyncIterator[int]:
    bits, registers = (
        SimData(0, values=[False] * 64, datatype=DataType.BITS),
        SimData(0, count=100, values=7, datatype=DataType.REGISTERS),
    )
    port = free_port()
    server = ModbusTcpServer(
        [SimDevice(id=1, simdata=([bits], [bits], [registers], [registers]))],
        framer=FramerType.ASCII,
        address=("127.0.0.1", port),
    )
    task = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0.2)
    yield port
    await server.shutdown()  # type: ignore[no-untyped-call]
    await asyncio.wait([task], timeout=2.0)


async def test_ascii_over_tcp() -> None:
    async with ascii_server() as port:
        await use(driver(host="127.0.0.1", port=port, framing="ascii"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plc")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.server
async def test_modbus_security(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """libmodbus behind socat's TLS, which asks for a certificate of ours as well."""
    cert, key = certificate
    plain, port = libmodbus(tmp_path), free_port()
    plain.server.start()
    listen = f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={cert},key={key},cafile={cert},verify=1"
    tls = Server(["socat", listen, f"TCP:127.0.0.1:{plain.server.port}"], port, ready=None, forks=True)
    tls.start()
    ours = {"certificate": cert, "key": key}
    try:
        await use(driver(host="127.0.0.1", port=port, tls={"ca": cert, **ours}))
        await use(driver(host="127.0.0.1", port=port, tls={"verify": False, **ours}))
        with pytest.raises(NotConnected, match="its certificate is not trusted"):
            await driver(host="127.0.0.1", port=port, tls=ours).connect()
        with pytest.raises(NotConnected, match="its certificate is not trusted"):
            await driver(host="127.0.0.1", port=port, tls={"ca": cert, "server_name": "other", **ours}).connect()
        with pytest.raises(NotConnected):
            await use(driver(host="127.0.0.1", port=port, tls={"ca": cert}))
        with pytest.raises(NotConnected, match=r"TLS failed|no answer"):
            await driver(host="127.0.0.1", port=plain.server.port, tls={"ca": cert}).connect()
    finally:
        tls.kill()
        plain.server.kill()


@pytest.mark.server
async def test_a_device_that_takes_no_masked_write_refuses_it(tmp_path: Path) -> None:
    command = ["node", str(Path(__file__).parents[1] / "servers" / "modbus_serial.js")]
    port = free_port()
    server = Server([*command, str(port)], port)
    server.start()
    try:
        session = await driver(host="127.0.0.1", port=port).connect()
        with pytest.raises(Refused, match="illegal function"):
            await session.write("plc.flag", True)
        await session.write("plc.mark", True)
        assert [sample.value for sample in await session.fetch(["plc.flags"])] == [40 | 512]
        await session.close()
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": "/dev/ttyUSB0"}, "may be another adapter after a restart.*by-id"),
        ({"port": "/dev/ttyS0", "data_bits": 7}, "needs 'data_bits: 8'"),
        ({"port": "/dev/ttyS0", "unit": 0}, "greater than or equal to 1"),
    ],
)
def test_what_a_serial_device_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        REGISTRY["modbus-serial"].device.model_validate(options)


def test_tls_is_for_modbus_tcp_and_a_key_needs_its_certificate() -> None:
    model = REGISTRY["modbus-tcp"].device
    with pytest.raises(ValueError, match="carries the framing tcp"):
        model.model_validate({"host": "plc", "framing": "rtu", "tls": {}})
    with pytest.raises(ValueError, match="belong together"):
        model.model_validate({"host": "plc", "tls": {"key": "x"}})
