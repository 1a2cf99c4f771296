"""Calls the pipeline when a timer is due, and at least once a second so that staleness is seen."""

from __future__ import annotations

import asyncio

from agent.core.ports import Clock
from agent.pipeline import Pipeline

SWEEP_S = 1.0


class Ticker:
    """The heartbeat of the rules."""

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._wake = asyncio.Event()
        self._armed_s = 0.0

    def rearm(self) -> None:
        """Wake the loop if it sleeps past the next due time."""
        due_s = self._pipeline.next_due_s()
        if due_s is not None and due_s < self._armed_s:
            self._wake.set()

    async def run(self) -> None:
        """Tick until cancelled."""
        self._pipeline.rearm = self.rearm
        sweep_s = 0.0
        while True:
            now_s = self._clock.now().mono_s
            if now_s >= sweep_s:
                self._pipeline.sweep()
                sweep_s = now_s + SWEEP_S
            else:
                self._pipeline.timers()
            await self._sleep_until(min(self._pipeline.next_due_s() or sweep_s, sweep_s))

    async def _sleep_until(self, due_s: float) -> None:
        self._wake.clear()
        self._armed_s = due_s
        try:
            async with asyncio.timeout(max(due_s - self._clock.now().mono_s, 0.001)):
                await self._wake.wait()
        except TimeoutError:
            return
        finally:
            self._armed_s = 0.0
