"""Drives sirens and lamps: writes what is wanted, reads it back, and says so when the plant does not follow.

Every device that carries outputs gets a connection of its own here, so that a slow poll cannot delay
a siren. Levels are asserted again at every cycle: a lost write, a restarted PLC or another master
that overwrites a coil is put right by itself (RELIABILITY F1, F2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from agent.annunciation.kinds import FALLBACK, OutputKind
from agent.backoff import delays
from agent.core.errors import NotConnected, Refused
from agent.core.model import Level, Value
from agent.core.ports import Clock, Driver, Session
from agent.runner import Closing

log = structlog.get_logger(__name__)

CYCLE_S = 0.5
"""Longest time between two read-backs."""
MISMATCH_LIMIT_S = 3.0
"""How long an output may differ from what is wanted before it counts as failed (FIELD §5.3, 17)."""
COIL_AFTER = 3
"""Beats in a row at which a heartbeat took only 0 or 1: it is a coil, and no other number is tried any more."""


@dataclass
class Output:
    """One siren or lamp: where it is wired, and what was last seen of it. Times are monotonic seconds."""

    name: str
    kind: OutputKind
    point: str
    readback: str
    levels: Mapping[Level, Value]
    on_stop: Level | None = None
    """Level to leave behind at a graceful stop; None: hold what is."""
    seen: Level | None = None
    reason: str = "not read yet"
    confirmed_s: float | None = None
    differs_since_s: float = field(default=0.0)

    def raw(self, level: Level) -> Value:
        """Return the value to write for ``level``, or for what stands in for one that the output does not have."""
        while level not in self.levels:
            level = FALLBACK[level]
        return self.levels[level]

    def is_at(self, level: Level) -> bool:
        """Tell whether the output was last seen at ``level``."""
        return self.seen is not None and self.raw(self.seen) == self.raw(level)

    def saw(self, value: Value, wanted: Level, now_s: float) -> None:
        """Take in a read-back value."""
        self.seen = next((level for level in (wanted, *Level) if self.raw(level) == value), None)
        if self.is_at(wanted):
            self.confirmed_s, self.reason = now_s, ""
        else:
            self.reason = f"wanted {wanted}, read back {value!r}"

    def lost(self, reason: str) -> None:
        """Nothing is known of the output any more."""
        self.seen, self.reason = None, reason


class Heartbeat:
    """A point that counts up for the PLC to watch: once it stands still, the PLC sounds what it has (RELIABILITY F3).

    ``is_alive`` tells whether the rules turn; the point stands still while they do not.
    """

    def __init__(self, point: str, is_alive: Callable[[], bool]) -> None:
        self._point, self._is_alive = point, is_alive
        self._count = 0
        self._switched = 0
        """How many beats in a row only 0 or 1 was taken."""
        self._is_refused = False

    async def beat(self, session: Session) -> None:
        """Count up; what is refused is tried again at the next beat. Raises NotConnected."""
        if not self._is_alive():
            return
        self._count = (self._count + 1) % 10_000
        if self._switched >= COIL_AFTER:
            refusal = await _refusal(session, self._point, self._count % 2)
        elif refusal := await _refusal(session, self._point, self._count):
            refusal = await self._switch(session) if self._count > 1 else refusal
        else:
            self._switched = 0
        if bool(refusal) is not self._is_refused:
            self._is_refused = bool(refusal)
            log.warning("heartbeat refused" if refusal else "heartbeat taken again", point=self._point, reason=refusal)

    async def _switch(self, session: Session) -> str:
        """Write 0 or 1, which is all that a coil takes; a device that was only busy takes the next count."""
        refusal = await _refusal(session, self._point, self._count % 2)
        self._switched += not refusal
        return refusal


async def _refusal(session: Session, point: str, value: Value) -> str:
    """Write, and return why the device did not take it, empty if it did. Raises NotConnected."""
    try:
        await session.write(point, value)
    except Refused as error:
        return str(error) or "refused"
    return ""


class OutputBus:
    """All outputs on one device: one connection, one loop. With ``refresh`` each is written at every cycle.

    An output that ``is_held`` at a monotonic time is not switched off, and counts as following.
    """

    def __init__(
        self,
        device: str,
        driver: Driver,
        outputs: Sequence[Output],
        wanted: Callable[[], Mapping[str, Level]],
        clock: Clock,
        heartbeat: Heartbeat | None = None,
        refresh: bool = False,
        is_held: Callable[[str, float], bool] = lambda _output, _now_s: False,
    ) -> None:
        self.device = device
        self._is_held = is_held
        self._heartbeat, self._refresh = heartbeat, refresh
        self.outputs = sorted(outputs, key=lambda output: not output.kind.sounds)
        self.beat_s = clock.now().mono_s
        self._driver = driver
        self._wanted = wanted
        self._clock = clock
        self._wake = asyncio.Event()
        self._lost = False
        for output in self.outputs:
            output.differs_since_s = self.beat_s

    def wake(self) -> None:
        """Tell the loop that a wanted level changed."""
        self._wake.set()

    def failed(self, now_s: float) -> dict[str, str]:
        """Return the outputs that have not followed for longer than MISMATCH_LIMIT_S, and why."""
        late = [output for output in self.outputs if self._differs_for_s(output, now_s) > MISMATCH_LIMIT_S]
        return {output.name: output.reason or "not read back any more" for output in late}

    async def run(self) -> None:
        """Reconcile until cancelled."""
        waits = delays(first_s=0.2, longest_s=2.0)
        while True:
            try:
                await self._live()
            except NotConnected as error:
                self._note_lost(str(error))
            except Exception:
                self._note_lost("the driver failed; see the log")
                raise
            self.beat_s = self._clock.now().mono_s
            if not self._lost:
                waits = delays(first_s=0.2, longest_s=2.0)
            self._lost = True
            await self._pause(next(waits))

    async def stop(self) -> None:
        """Leave every output as its ``on_stop`` says; called once, after ``run`` was cancelled."""
        leaving = [output for output in self.outputs if output.on_stop is not None]
        if not leaving:
            return
        try:
            async with asyncio.timeout(2.0), aclosing(Closing(await self._driver.connect())) as closing:
                for output in leaving:
                    await closing.session.write(output.point, output.raw(output.on_stop or Level.OFF))
        except (NotConnected, Refused, TimeoutError) as error:
            log.warning("output not left as configured", device=self.device, reason=str(error))

    async def _live(self) -> None:
        session = await self._driver.connect()
        async with aclosing(Closing(session)):
            await self._read_back(session)
            if self._lost:
                log.info("outputs back", device=self.device)
            self._lost = False
            while True:
                await self.reconcile(session)
                await self._pause(CYCLE_S)

    async def reconcile(self, session: Session) -> None:
        """Write every output that is not as wanted, then read all of them back."""
        self._wake.clear()
        wanted = self._wanted()
        for output in self.outputs:
            if self._rests(output):
                continue
            if self._refresh or not output.is_at(wanted[output.name]):
                await self._write(session, output, wanted[output.name])
        await self._read_back(session)
        if self._heartbeat is not None:
            await self._heartbeat.beat(session)
        self.beat_s = self._clock.now().mono_s

    async def _write(self, session: Session, output: Output, level: Level) -> None:
        try:
            await session.write(output.point, output.raw(level))
        except Refused as error:
            output.lost(f"the device refuses to write {output.point}: {error}")

    async def _read_back(self, session: Session) -> None:
        if not self.outputs:
            return  # the device has a heartbeat only
        samples = {sample.point: sample for sample in await session.fetch({o.readback for o in self.outputs})}
        wanted, now_s = self._wanted(), self._clock.now().mono_s
        for output in self.outputs:
            sample = samples.get(output.readback)
            if sample is None or sample.value is None:
                output.lost(f"{output.readback} cannot be read back: {sample.reason if sample else 'no answer'}")
            else:
                output.saw(sample.value, wanted[output.name], now_s)

    def _differs_for_s(self, output: Output, now_s: float) -> float:
        recent = output.confirmed_s is not None and now_s - output.confirmed_s < MISMATCH_LIMIT_S
        if (recent and output.is_at(self._wanted()[output.name])) or self._rests(output):
            output.differs_since_s = now_s
        return now_s - output.differs_since_s

    def _rests(self, output: Output) -> bool:
        return self._wanted()[output.name] is Level.OFF and self._is_held(output.name, self._clock.now().mono_s)

    def _note_lost(self, reason: str) -> None:
        if not self._lost:
            log.warning("outputs lost", device=self.device, reason=reason)
        for output in self.outputs:
            output.lost(reason)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
