"""Drives the GPIO driver on the chip of ``gpio_chip.c``; run with LD_PRELOAD, prints ``ok`` at its end."""

from __future__ import annotations

import asyncio
import ctypes

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.ports import Driver, Session
from drivers import REGISTRY

KIND = REGISTRY["gpio"]
chip = ctypes.CDLL(None)
chip.gpio_flags.restype = ctypes.c_uint64
ACTIVE_LOW, INPUT, OUTPUT, RISING, FALLING, PULL_UP = 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 8
"""Flags of linux/gpio.h (GPIO_V2_LINE_FLAG_…)."""


def driver(**points: dict[str, object]) -> Driver:
    parsed = {name: KIND.point.model_validate(each) for name, each in points.items()}
    return KIND.build("panel", KIND.device.model_validate({"chip": "/dev/gpiochip9"}), parsed, SystemClock())


async def values(session: Session, *names: str) -> list[object]:
    return [sample.value for sample in await session.fetch([f"panel.{name}" for name in names])]


async def main() -> None:
    chip.gpio_push(1, 1)
    chip.gpio_push(2, 1)
    siren: dict[str, object] = {"line": 2, "writable": True, "active_low": True}
    button: dict[str, object] = {"line": 1, "active_low": True, "bias": "pull-up"}
    session = await driver(button=button, door={"line": "DOOR"}, siren=siren).connect()
    outputs = await driver(siren=siren).connect()
    assert chip.gpio_flags(1) == ACTIVE_LOW | INPUT | RISING | FALLING | PULL_UP, hex(chip.gpio_flags(1))
    assert chip.gpio_flags(2) & OUTPUT and chip.gpio_level(2) == 1, "an output keeps the level that it has"
    assert {s.point: s.value for s in await session.read()} == {
        "panel.button": False, "panel.door": False, "panel.siren": False,
    }  # fmt: skip
    waiting = asyncio.create_task(session.read())
    await asyncio.sleep(0.05)
    chip.gpio_push(1, 0)
    async with asyncio.timeout(0.3):
        assert {s.point: s.value for s in await waiting}["panel.button"] is True, "told by its edge"
    await outputs.write("panel.siren", True)
    assert chip.gpio_level(2) == 0 and await values(session, "siren", "button") == [True, True]
    await outputs.close()
    await outputs.close()
    assert chip.gpio_flags(2) & OUTPUT, "the other session still has it"
    await session.close()
    assert chip.gpio_flags(2) == 0
    for points, words in (
        ({"a": {"line": 5}}, "line 5 is in use by somebody"),
        ({"a": {"line": 9}}, "it has no line 9"),
        ({"a": {"line": "X"}}, "it has no line 'X'"),
    ):
        try:
            await driver(**points).connect()
        except NotConnected as error:
            assert words in str(error), str(error)
        else:
            raise AssertionError(points)
    print("ok")


asyncio.run(main())
