"""GPIO where there is no chip: on a stand-in for libgpiod, and libgpiod itself on one for the kernel's interface."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gpiod
import pytest
from gpiod.line import Direction, Value

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.ports import Driver
from drivers import REGISTRY
from tests.servers.process import HERE

KIND = REGISTRY["gpio"]
CHIP = "/dev/gpiochip0"


class Chip:
    """What the kernel would hold: physical levels, and who has requested which line."""

    def __init__(self) -> None:
        self.level: dict[int | str, bool] = {17: True, 22: True, 23: False}
        self.held: dict[int | str, Request] = {}
        self.foreign: set[int | str] = set()

    def request_lines(self, path: str, config: dict[int | str, gpiod.LineSettings], consumer: str) -> Request:
        if path != CHIP:
            raise FileNotFoundError(errno.ENOENT, "none")
        ((line, settings),) = config.items()
        if line in self.held or line in self.foreign:
            raise OSError(errno.EBUSY, "busy")
        if line not in self.level:
            raise ValueError(f"unknown line name: {line}")
        self.held[line] = Request(self, line, settings)
        return self.held[line]

    def push(self, line: int | str, level: bool) -> None:
        """Somebody moves an input; an edge is told."""
        self.level[line] = level
        os.write(self.held[line].pipe[1], b"x")


class Request:
    def __init__(self, chip: Chip, line: int | str, settings: gpiod.LineSettings) -> None:
        self.chip, self.line, self.settings = chip, line, settings
        self.pipe = os.pipe()
        self.fd = self.pipe[0]

    def get_value(self, line: int | str) -> Value:
        return Value.ACTIVE if self.chip.level[line] is not self.settings.active_low else Value.INACTIVE

    def set_value(self, line: int | str, value: Value) -> None:
        assert self.settings.direction is Direction.OUTPUT
        self.chip.level[line] = (value is Value.ACTIVE) is not self.settings.active_low

    def reconfigure_lines(self, config: dict[int | str, gpiod.LineSettings]) -> None:
        self.settings = config[self.line]
        self.set_value(self.line, self.settings.output_value)

    def read_edge_events(self) -> list[Any]:
        return [os.read(self.fd, 16)]

    def release(self) -> None:
        del self.chip.held[self.line]
        for each in self.pipe:
            os.close(each)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    made = Chip()
    monkeypatch.setattr(gpiod, "request_lines", made.request_lines)
    return made


def driver(**points: dict[str, object]) -> Driver:
    parsed = {name: KIND.point.model_validate(each) for name, each in points.items()}
    return KIND.build("panel", KIND.device.model_validate({"chip": CHIP}), parsed, SystemClock())


async def test_a_button_tells_of_its_edge_at_once(chip: Chip) -> None:
    session = await driver(button={"line": 17, "active_low": True, "bias": "pull-up"}).connect()
    assert [sample.value for sample in await session.read()] == [False]
    chip.push(17, False)
    assert [sample.value for sample in await session.read()] == [True]
    assert chip.held[17].settings.debounce_period.total_seconds() == 0.01
    await session.close()
    assert not chip.held


async def test_a_chip_that_is_pulled_out_is_lost_at_once_and_floods_no_log(
    chip: Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OSError(errno.ENODEV, "gone")

    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    session = await driver(button={"line": 17}).connect()
    await session.read()
    reading = asyncio.create_task(session.read())
    await asyncio.sleep(0.05)
    monkeypatch.setattr(Request, "read_edge_events", gone)
    monkeypatch.setattr(Request, "get_value", gone)
    os.write(chip.held[17].pipe[1], b"x")  # poll() tells of an end, too, by being readable for ever
    with pytest.raises(NotConnected):
        async with asyncio.timeout(0.5):
            await reading
    await session.close()
    assert faults == []


async def test_an_output_keeps_its_state_until_it_is_written(chip: Chip) -> None:
    siren: dict[str, object] = {"line": 22, "writable": True, "active_low": True}
    session = await driver(siren=siren, lamp={"line": 23, "writable": True}).connect()
    outputs = await driver(siren=siren).connect()
    assert (chip.level[22], chip.level[23]) == (True, False)
    await outputs.write("panel.siren", True)
    assert chip.level[22] is False
    assert {sample.point: sample.value for sample in await session.fetch(["panel.siren", "panel.lamp"])} == {
        "panel.siren": True,
        "panel.lamp": False,
    }
    await session.close()
    assert set(chip.held) == {22}, "the output's connection still has its line"
    await outputs.close()
    assert not chip.held


async def test_what_the_kernel_refuses_is_said_in_words(chip: Chip) -> None:
    chip.foreign.add(17)
    with pytest.raises(NotConnected, match="line 17 is in use by another program"):
        await driver(lamp={"line": 23, "writable": True}, button={"line": 17}).connect()
    assert not chip.held, "none is held if one cannot be had"
    with pytest.raises(NotConnected, match="unknown line name: DOOR"):
        await driver(door={"line": "DOOR"}).connect()


async def test_without_a_chip_nothing_is_connected() -> None:
    with pytest.raises(NotConnected, match="/dev/gpiochip0: there is no such chip"):
        await driver(button={"line": 17}).connect()


async def test_an_input_cannot_be_written_and_a_line_is_on_or_off(chip: Chip) -> None:
    session = await driver(button={"line": 17}, lamp={"line": 23, "writable": True}).connect()
    for point, value in (("button", True), ("lamp", 2)):
        with pytest.raises(Refused):
            await session.write(f"panel.{point}", value)
    await session.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"line": 1, "scale": 2}, "true or false"), ({"line": 1, "drive": "open-drain"}, "is for outputs")],
)
def test_what_a_line_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KIND.point.model_validate(options)


@pytest.mark.server
def test_the_real_library_on_a_chip_that_answers_as_the_kernel_does(tmp_path: Path) -> None:
    """libgpiod itself, with the kernel's interface answered by a preloaded library."""
    shim = tmp_path / "gpio_chip.so"
    subprocess.run(["cc", "-shared", "-fPIC", str(HERE / "gpio_chip.c"), "-o", str(shim), "-ldl"], check=True)
    done = subprocess.run(
        [sys.executable, str(HERE / "gpio_scenario.py")],
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout == "ok\n", done.stderr
