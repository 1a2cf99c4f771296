"""The story that the demo plays, and what must come of it. Outcomes are read at the plant, the broker and the API."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.demo.api import OPERATOR
from agent.demo.checks import Checklist
from agent.demo.delivery import backlog_arrives
from agent.demo.narrator import Narrator
from agent.demo.plant import Plant
from agent.demo.world import ACKNOWLEDGED, NORMAL, UNACKNOWLEDGED, World

OUTAGE_S = 15.0
BUTTON, BARE_HEAD, SILENT = "emergency_button", "bare_head_at_press", "boiler.comms"


class DaemonGone(Exception):  # noqa: N818
    """The daemon ended in the middle of the story, which ends with it."""


@dataclass
class Stage:
    """Everything that a step needs."""

    plant: Plant
    world: World
    checks: Checklist
    narrator: Narrator
    backlog: asyncio.Task[None] | None = None

    async def expect(self, name: str, text: str, condition: Callable[[], bool], limit_s: float) -> None:
        """Wait for ``condition`` and note whether it came true in time."""
        took_s = await self.world.until(condition, limit_s)
        if took_s is None:
            self.note(name, False, f"{text}: not within {limit_s:g} s")
            if not self.plant.daemon.alive:
                raise DaemonGone("the daemon ended")
        else:
            self.note(name, True, f"{text} (after {took_s:.1f} s)")

    def note(self, name: str, ok: bool, detail: str) -> None:
        """Note an outcome and tell it."""
        self.checks.note(name, ok, detail)
        self.narrator.verdict(ok, detail)

    async def acknowledge(self, *alarms: str) -> None:
        """Let the operator acknowledge those of ``alarms`` (default: of all) that nobody has acknowledged."""
        for alarm, state in sorted(self.world.alarms.items()):
            if state not in (NORMAL, ACKNOWLEDGED) and (not alarms or alarm in alarms):
                await self.plant.api.acknowledge(alarm)

    async def settle_backlog(self) -> None:
        """Wait for the verdict on the last backlog."""
        if self.backlog is not None:
            await self.backlog
            self.backlog = None

    async def calm(self) -> None:
        """Wait until the siren is silent, with the operator's help."""
        for _ in range(10):
            if await self.world.until(lambda: not self.world.siren, 0.3) is not None:
                return
            await self.acknowledge()


@dataclass(frozen=True)
class Step:
    """One chapter; ``needs_s`` is how long it takes at most when all goes well."""

    title: str
    needs_s: float
    play: Callable[[Stage], Awaitable[None]]


async def gas(stage: Stage) -> None:
    """Gas past H and HH, acknowledged, and gone."""
    world, boiler = stage.world, stage.plant.boiler
    await stage.calm()
    boiler.send("ramp", point="gas", to=27, seconds=1.0)
    await stage.expect(
        "gas_beacon",
        "gas above H lights the yellow beacon",
        lambda: world.beacons["yellow"] > 0 and world.is_active("gas.H"),
        4,
    )
    boiler.send("ramp", point="gas", to=47, seconds=0.8)
    await stage.expect(
        "gas_siren", "gas above HH sounds the siren", lambda: world.siren and world.is_active("gas.HH"), 3
    )
    await stage.expect("gas_red", "and makes the red beacon flash", lambda: world.beacons["red"] == 2, 2)
    await asyncio.sleep(0.5)
    await stage.acknowledge("gas.H", "gas.HH")
    await stage.expect(
        "acknowledge",
        f"{OPERATOR} acknowledges: the siren falls silent, the alarm stands",
        lambda: not world.siren and world.state("gas.HH") == ACKNOWLEDGED,
        3,
    )
    boiler.send("ramp", point="gas", to=4, seconds=0.8)
    await stage.expect(
        "gas_clears",
        "the gas is gone, both alarms clear",
        lambda: world.state("gas.H") == world.state("gas.HH") == NORMAL,
        6,
    )


async def bare_head(stage: Stage) -> None:
    """A person without a helmet is nothing to the conveyor that stands, and an alarm when it runs."""
    world, press = stage.world, stage.plant.press
    await stage.calm()
    bare_heads = await _bare_heads(stage)
    alone = bare_heads > 0 and not world.is_active(BARE_HEAD)
    stage.note("bare_head_alone", alone, f"the conveyor stands, {bare_heads} bare heads are seen: no alarm")
    press.send("set", node="Press.Running", value=True)
    await stage.expect(
        "bare_head",
        "the conveyor runs, the camera sees a bare head: siren",
        lambda: world.siren and world.is_active(BARE_HEAD),
        8,
    )
    await asyncio.sleep(0.5)
    await stage.acknowledge(BARE_HEAD)
    await world.until(lambda: not world.siren, 2)
    press.send("set", node="Press.Running", value=False)
    await stage.expect(
        "bare_head_clears",
        "the conveyor stops, the alarm clears",
        lambda: not world.is_active(BARE_HEAD) and not world.siren,
        6,
    )
    await stage.acknowledge(BARE_HEAD)


async def _bare_heads(stage: Stage) -> int:
    """Return how many bare heads the camera sees, as soon as it sees any; 0 after 6 s."""
    until_s = time.monotonic() + 6
    while time.monotonic() < until_s:
        points = {point["id"]: point["value"] for point in await stage.plant.api.get("points")}
        if points["gate.no_helmet"]:
            return int(points["gate.no_helmet"])
        await asyncio.sleep(0.2)
    return 0


async def outage(stage: Stage) -> None:
    """The broker is away; somebody presses the emergency button again and again."""
    await stage.calm()
    await stage.settle_backlog()
    broker, until_s = stage.plant.broker, time.monotonic() + OUTAGE_S
    await broker.stop()
    stage.narrator.say(f"{broker.kind} is gone")
    pressed = answered = 0
    async with stage.narrator.brief():
        while time.monotonic() < until_s:
            answered += await press_button(stage)
            pressed += 1
            if pressed % 5 == 0:
                stage.narrator.say(f"emergency button pressed {pressed} times; the siren came {_last_five(stage)}")
    stage.note("siren_offline", answered == pressed, f"no broker: the siren answered {answered} of {pressed} times")
    await broker.start()
    stage.narrator.say(f"{broker.kind} is back after {OUTAGE_S:.0f} s")
    await stage.acknowledge()
    stage.backlog = asyncio.create_task(backlog_arrives(stage.plant, stage.note), name="backlog")


async def silent_plc(stage: Stage) -> None:
    """The boiler's PLC stops answering with its gas alarm active: frozen, not cleared."""
    world, boiler = stage.world, stage.plant.boiler
    await stage.calm()
    boiler.send("ramp", point="gas", to=27, seconds=0.3)
    await world.until(lambda: world.state("gas.H") == UNACKNOWLEDGED, 3)
    await stage.acknowledge("gas.H")
    boiler.send("freeze")
    boiler.send("set", point="gas", value=4)
    await stage.expect(
        "plc_silent", "the boiler's PLC is silent, its comms alarm comes", lambda: world.is_active(SILENT), 5
    )
    await asyncio.sleep(1.2)
    gas_high = (await stage.plant.api.alarms())["gas.H"]
    frozen = bool(gas_high["active"]) and bool(gas_high["degraded"])
    word = "stands, marked as degraded" if frozen else f"is {gas_high['state']}"
    stage.note("freeze", frozen, f"the gas may be gone, but nobody can know: its alarm {word}")
    boiler.send("thaw")
    await stage.expect(
        "plc_back",
        "the PLC answers: its comms alarm goes, and now the gas alarm too",
        lambda: not world.is_active(SILENT) and not world.is_active("gas.H"),
        8,
    )
    await stage.acknowledge()


async def drill(stage: Stage) -> None:
    """Press the button a few times more, with everything running."""
    await stage.calm()
    async with stage.narrator.brief():
        answered = sum([await press_button(stage) for _ in range(5)])
    detail = f"the siren answered {answered} of 5 times, {_last_five(stage)}"
    stage.note("siren_online", answered == 5, detail)
    await stage.acknowledge()


async def press_button(stage: Stage) -> bool:
    """Press the emergency button until the siren sounds, let go, and tell whether it sounded within 2 s."""
    world, before = stage.world, len(stage.world.latencies_ms)
    stage.plant.boiler.send("set", point=BUTTON, value=1)
    sounded = await world.until(lambda: len(world.latencies_ms) > before, 2) is not None
    await asyncio.sleep(0.2)
    stage.plant.boiler.send("set", point=BUTTON, value=0)
    await world.until(lambda: not world.siren, 2)
    await asyncio.sleep(random.uniform(0.1, 0.3))  # so that it meets every phase of the polling
    return sounded


def _last_five(stage: Stage) -> str:
    return f"after {', '.join(f'{latency_ms:.0f}' for latency_ms in stage.world.latencies_ms[-5:])} ms"


STEPS = (
    Step("Gas rises in the boiler room", 9, gas),
    Step("A person without a helmet, while the conveyor runs", 7, bare_head),
    Step(f"The broker goes away for {OUTAGE_S:.0f} s", OUTAGE_S + 1, outage),
    Step("A PLC falls silent", 8, silent_plc),
    Step("A drill with the emergency button", 5, drill),
)
DEMANDS = {
    "started": "the daemon starts, reads both PLCs and sees the camera's pictures within 20 s",
    "gas_beacon": "gas above H lights the yellow beacon",
    "gas_siren": "gas above HH sounds the siren",
    "gas_red": "gas above HH makes the red beacon flash",
    "acknowledge": "acknowledging ends the sound, not the alarm",
    "gas_clears": "the alarms clear when the gas is gone",
    "bare_head_alone": "bare heads are seen, and are no alarm while the conveyor stands",
    "bare_head": "a bare head while the conveyor runs sounds the siren",
    "bare_head_clears": "the alarm ends with the conveyor",
    "siren_offline": "without the broker the siren answers every time",
    "backlog": "the backlog arrives complete and in order",
    "plc_silent": "a silent PLC raises its comms alarm",
    "freeze": "what depends on a silent PLC freezes and does not clear",
    "plc_back": "the comms alarm goes when the PLC answers again",
    "siren_online": "the siren answers every time",
    "siren_latency": "99 of 100 sirens sound within 150 ms of the change in the PLC",
    "vision": "the camera's pictures are looked at, at least 4 a second",
    "delivery": "every event that was journalled arrives",
    "steady": "no process of the daemon ends before its time",
}
