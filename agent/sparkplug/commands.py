"""What a host asks to be written: only points that the site lists, told before and after, answered by the value.

Whoever may publish to the broker may ask; Sparkplug does not say who it was. So nothing that sounds,
lights or acknowledges can be listed (``agent.config`` sees to it), and a command that is old, kept by
the broker or overtaken is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from agent.core.errors import NotConnected, Refused
from agent.core.model import EventDraft, Instant, Operator, Value
from agent.core.ports import Clock
from agent.reports import operator_event
from agent.sparkplug.catalogue import Catalogue, Entry
from agent.sparkplug.values import Command, decode, millis, wanted

log = structlog.get_logger(__name__)

MOST_WAITING = 50
"""Commands for one device that wait for those before them."""
TOLD_EVERY_S = 1.0
"""Refusals that come faster are counted, and told with the next: nobody may fill the journal with them."""


class Write(Protocol):
    """The way to a device."""

    async def __call__(self, point: str, value: Value) -> None:
        """Write and return when the device confirmed. Raises NotConnected (the outcome is unknown) or Refused."""


class Order(NamedTuple):
    """A command that is allowed. ``taken_s`` is monotonic."""

    point: str
    value: Value
    stamp_ms: int
    taken_s: float


class NotTaken(ValueError):  # noqa: N818 - the outcome
    """A command that is not carried out; the text says why."""


@dataclass
class Judge:
    """Decides which commands are carried out: pure in (what was taken before, command, now)."""

    catalogue: Catalogue
    age_s: float
    _taken: dict[str, tuple[int, Value]] = field(default_factory=dict)
    """By point: the time (ms) and value of the newest command."""

    def judge(self, device: str, command: Command, stamp_ms: int | None, retained: bool, now: Instant) -> Order:
        """Return the order. Raises NotTaken."""
        entry = self._entry(device, command)
        self._fresh(stamp_ms, retained, now)
        assert stamp_ms is not None
        try:
            value = wanted(command, entry.type)
        except ValueError as error:
            raise NotTaken(str(error)) from error
        before = self._taken.get(entry.point.id)
        if before is not None and (stamp_ms < before[0] or (stamp_ms, value) == before):
            raise NotTaken("a newer command was taken before, or the same")
        self._taken[entry.point.id] = stamp_ms, value
        return Order(entry.point.id, value, stamp_ms, now.mono_s)

    def _entry(self, device: str, command: Command) -> Entry:
        entry = self.catalogue.find(device, command.name, command.alias)
        if entry is None:
            raise NotTaken(f"there is no metric {command.name or command.alias!r}")
        if not entry.is_writable:
            raise NotTaken(f"{entry.point.id} is not under 'writable' of the site's sparkplug section")
        return entry

    def _fresh(self, stamp_ms: int | None, retained: bool, now: Instant) -> None:
        if retained:
            raise NotTaken("the broker kept it from earlier")
        if stamp_ms is None:
            raise NotTaken("it has no timestamp")
        age_s = (millis(now.utc) - stamp_ms) / 1000
        if abs(age_s) > self.age_s:
            when = f"{age_s:.0f} s old" if age_s > 0 else f"{-age_s:.0f} s ahead of our clock"
            raise NotTaken(f"it is {when}; the limit is {self.age_s:g} s")


class Commands:
    """Takes commands, and carries them out one after another on each device, so that one that hangs delays no other.

    ``answer`` is called with a point whose value the host should be told, whatever became of its command.
    """

    def __init__(
        self,
        judge: Judge,
        write: Write,
        record: Callable[[EventDraft], None],
        answer: Callable[[str], None],
        clock: Clock,
        host: str,
    ) -> None:
        self._judge, self._write, self._record, self._answer = judge, write, record, answer
        self._clock, self._host = clock, Operator(host or "sparkplug", "sparkplug")
        self._queues = {
            device: asyncio.Queue[Order](MOST_WAITING) for device in judge.catalogue.writable_devices() if device
        }
        self._untold = 0
        self._told_s = -TOLD_EVERY_S

    def take(self, device: str, body: bytes, retained: bool) -> None:
        """Take a message with commands for a device. Never raises, never waits."""
        now = self._clock.now()
        try:
            stamp_ms, commands = decode(body)
        except ValueError as error:
            self.refuse(device, {}, str(error))
            return
        for command in commands:
            self._take(device, command, stamp_ms, retained, now)

    def refuse(self, subject: str, details: dict[str, object], reason: str) -> None:
        """Tell that something was not taken, at most once a second."""
        now = self._clock.now()
        if now.mono_s - self._told_s < TOLD_EVERY_S:
            self._untold += 1
            return
        also = {"also_refused": self._untold} if self._untold else {}
        self._told_s, self._untold = now.mono_s, 0
        self._tell(subject, {**details, "result": "refused", "reason": reason, **also}, now)

    async def run(self) -> None:
        """Carry out what was taken, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for device, queue in self._queues.items():
                group.create_task(self._serve(queue), name=f"sparkplug commands {device}")
            await asyncio.Event().wait()

    def _take(self, device: str, command: Command, stamp_ms: int | None, retained: bool, now: Instant) -> None:
        entry = self._judge.catalogue.find(device, command.name, command.alias)
        subject = entry.point.id if entry is not None else device or "gateway"
        details: dict[str, object] = {"value": command.value}
        try:
            order = self._judge.judge(device, command, stamp_ms, retained, now)
            self._queues[device].put_nowait(order)
        except NotTaken as error:
            self.refuse(subject, details, str(error))
        except asyncio.QueueFull:
            self.refuse(subject, details, f"{MOST_WAITING} commands wait already")
        else:
            self._tell(subject, {"value": order.value, "result": "ordered"}, now)
            return
        if entry is not None and entry.is_writable:
            self._answer(entry.point.id)

    async def _serve(self, queue: asyncio.Queue[Order]) -> None:
        while True:
            await self._carry_out(await queue.get())

    async def _carry_out(self, order: Order) -> None:
        """Write; of an order that waited too long for the device nobody knows whether it is still wanted."""
        result, reason = "done", ""
        if self._clock.now().mono_s - order.taken_s > self._judge.age_s:
            result, reason = "refused", f"it waited longer than {self._judge.age_s:g} s for the device"
        else:
            try:
                await self._write(order.point, order.value)
            except Refused as error:
                result, reason = "refused", f"by the device: {error}"
            except NotConnected as error:
                result, reason = "unknown", str(error)
        log.info("written by a host" if result == "done" else "not written", point=order.point, reason=reason)
        self._tell(order.point, {"value": order.value, "result": result, "reason": reason}, self._clock.now())
        self._answer(order.point)

    def _tell(self, point: str, details: dict[str, object], now: Instant) -> None:
        self._record(operator_event("write-point", {"point": point, **details}, self._host, now))
