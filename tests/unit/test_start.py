from __future__ import annotations

import asyncio

from agent.annunciation import Annunciator, OutputKind
from agent.annunciation.start import LIMIT_S, Start
from agent.core.clock import ManualClock, SystemClock
from agent.core.model import Level
from agent.outputs import Output, OutputBus
from tests.fakes import FakeDevice, FakeDriver, until


def test_an_output_waits_until_its_inputs_were_known_once_or_the_limit_has_passed() -> None:
    known: set[str] = set()
    modes = {"siren": "hold", "horn": "on", "lamp": "recompute"}
    start = Start(modes, {name: {"a", "b"} for name in modes}, lambda point, _now_s: point in known, 0.0)
    assert start.is_held("siren", 1.0) and start.forced(1.0) == ["horn"] and not start.is_held("lamp", 1.0)
    known.add("a")
    assert start.is_held("siren", 2.0)
    known.clear()
    known.add("b")
    assert not start.is_held("siren", 3.0), "each was known once"
    known.clear()
    assert not start.is_held("siren", 4.0) and start.forced(LIMIT_S) == []


def test_what_must_be_on_at_the_start_is() -> None:
    clock = ManualClock()
    annunciator = Annunciator({"siren": OutputKind.SIREN}, {}, lambda: None)
    annunciator.forced = lambda now_s: ["siren"] if now_s < 1001 else []
    annunciator.refresh([], clock.now())
    assert annunciator.wanted["siren"] == "on"
    annunciator.refresh([], clock.advance(1.0))
    assert annunciator.wanted["siren"] == "off"


async def test_a_siren_that_sounds_at_the_start_is_not_switched_off_before_anything_is_known() -> None:
    device, clock, held = FakeDevice({"plc.siren": True}), SystemClock(), [True]
    wanted = {"siren": Level.OFF}
    output = Output("siren", OutputKind.SIREN, "plc.siren", "plc.siren", {Level.OFF: False, Level.ON: True})
    bus = OutputBus(
        "plc", FakeDriver(device, clock), [output], lambda: wanted, clock, is_held=lambda _name, _now_s: held[0]
    )
    task = asyncio.create_task(bus.run())
    await until(lambda: output.seen is Level.ON)
    await asyncio.sleep(0.6)
    assert device.writes == [] and bus.failed(clock.now().mono_s + 2.9) == {}
    held[0] = False
    await until(lambda: device.values["plc.siren"] is False)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
