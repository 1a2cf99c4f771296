"""I/O modules that guard themselves, played by pymodbus's server with the registers of their manuals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.core.clock import SystemClock
from agent.core.errors import Refused
from agent.core.ports import Driver
from drivers import REGISTRY
from drivers.modbus.modules import names
from tests.servers.process import free_port

KIND = REGISTRY["modbus-tcp"]


class Module:
    """A module's memory; in safe mode it refuses to write outputs, as some do."""

    def __init__(self) -> None:
        self.port = free_port()
        self.writes: list[tuple[int, list[int]]] = []
        self.refuses_below = 0

    async def action(
        self,
        code: int,
        _start: int,
        address: int,
        _count: int,
        _registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if code in (5, 6, 15, 16) and values is not None:
            if address < self.refuses_below:
                return ExcCodes.DEVICE_FAILURE
            self.writes.append((address, [int(value) for value in values]))
        return None


@asynccontextmanager
async def module(registers: dict[int, int], coils: set[int] | None = None) -> AsyncIterator[Module]:
    made = Module()
    words = [SimData(0, values=[registers.get(n, 0) for n in range(4500)], datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[n in (coils or set()) for n in range(4160)], datatype=DataType.BITS)]
    device = SimDevice(id=1, simdata=(bits, bits, words, words), action=made.action)
    server = ModbusTcpServer([device], address=("127.0.0.1", made.port))
    task = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0.2)
    yield made
    await server.shutdown()  # type: ignore[no-untyped-call]
    await asyncio.wait([task], timeout=2.0)


def driver(port: int, profile: str, outputs: bool = False, **device: object) -> Driver:
    options = {"host": "127.0.0.1", "port": port, "module": profile, "poll": 0.1, **device}
    points = {"siren": KIND.point.model_validate({"address": {"table": "coil", "offset": 0}, "writable": True})}
    build = KIND.build_outputs if outputs else KIND.build
    assert build is not None
    return build("io", KIND.device.model_validate(options), points, SystemClock())


async def seen(made: Driver) -> dict[str, object]:
    session = await made.connect()
    try:
        values: dict[str, object] = {}
        while set(values) != {point.id for point in made.points}:
            values |= {sample.point: sample.value for sample in await session.read()}
        return values
    finally:
        await session.close()


async def test_a_moxa_in_its_safe_mode_is_seen_and_cleared() -> None:
    async with module({}, coils={4144}) as plc:
        assert await seen(driver(plc.port, "moxa-iologik-e1200")) == {"io.siren": False, "io.safe_mode": True}
        assert plc.writes == [(4144, [1])]


async def test_a_safe_mode_that_stays_is_told_once_and_cleared_again_and_again() -> None:
    async with module({}, coils={4144}) as plc:
        session = await driver(plc.port, "moxa-iologik-e1200", poll=5.0).connect()
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(5.0):
                while len(plc.writes) < 3:
                    await session.read()
        assert [entry["event"] for entry in logs] == ["module in safe mode, clearing it"]
        await session.close()


async def test_a_write_that_is_refused_again_and_again_is_told_once_until_one_is_heard() -> None:
    async with module({0x1120: 1000}) as plc:
        session = await driver(plc.port, "beckhoff-bk", outputs=True, refresh=True).connect()
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                plc.refuses_below = 100
                for _ in range(3):
                    with pytest.raises(Refused):
                        await session.write("io.siren", True)
                plc.refuses_below = 0
                await session.write("io.siren", True)
        assert len([entry for entry in logs if entry["log_level"] == "warning"]) == 2
        await session.close()


async def test_an_adam_tells_whether_its_watchdog_is_on() -> None:
    async with module({214: 1}) as plc:
        values = await seen(driver(plc.port, "advantech-adam-4000"))
        assert (values["io.watchdog_ok"], values["io.safe_mode"]) == (True, False)
        assert plc.writes == []
    async with module({}) as plc:
        assert (await seen(driver(plc.port, "advantech-adam-4000")))["io.watchdog_ok"] is False


async def test_a_wago_whose_watchdog_is_exhausted_is_started_again() -> None:
    async with module({0x1006: 2}) as plc:
        values = await seen(driver(plc.port, "wago-750"))
        assert (values["io.watchdog_ok"], values["io.safe_mode"]) == (True, True)
        assert plc.writes == [(0x1008, [0xAA55]), (0x1007, [1])]


async def test_a_beckhoff_that_refuses_to_write_is_reset_so_that_the_next_write_is_heard() -> None:
    async with module({0x1120: 1000}) as plc:
        plc.refuses_below = 100
        session = await driver(plc.port, "beckhoff-bk", outputs=True, refresh=True).connect()
        with pytest.raises(Refused, match="device failure"):
            await session.write("io.siren", True)
        assert plc.writes == [(0x1121, [0xBECF]), (0x1121, [0xAFFE])]
        plc.refuses_below = 0
        await session.write("io.siren", True)
        await session.close()


async def test_a_patlite_is_written_with_its_control_bit_and_read_back_without() -> None:
    point = KIND.point.model_validate({"address": 40001, "writable": True, "control": 256})
    async with module({}) as plc:
        options = KIND.device.model_validate({"host": "127.0.0.1", "port": plc.port, "module": "patlite-la6-poe"})
        session = await KIND.build("io", options, {"red": point}, SystemClock()).connect()
        await session.write("io.red", 2)
        await session.close()
        assert plc.writes == [(0, [0x0102])]


def test_outputs_have_no_points_of_the_module() -> None:
    assert [point.id for point in driver(1, "wago-750", outputs=True).points] == ["io.siren"]


@pytest.mark.parametrize("name", names())
def test_every_profile_loads_and_says_where_it_is_documented(name: str) -> None:
    options = KIND.device.model_validate({"host": "x", "module": name, "refresh": True})
    assert options.module.source  # type: ignore[attr-defined]


def test_a_site_may_bring_a_profile_of_its_own(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / "own.yaml").write_text("name: Own\nsource: its manual\nsafe_mode: {address: 40010, values: [3]}\n")
    options = KIND.device.model_validate({"host": "x", "module": "own.yaml"}, context={"base": folder})
    assert options.module.safe_mode.values == (3,)  # type: ignore[attr-defined]
    (folder / "own.yaml").write_text("name: Own\n")
    with pytest.raises(ValueError, match="is no profile of a module"):
        KIND.device.model_validate({"host": "x", "module": "own.yaml"}, context={"base": folder})
