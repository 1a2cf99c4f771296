"""A session with an I/O module that guards itself: its watchdog is checked, its safe mode seen and cleared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import structlog

from agent.core.errors import Refused
from agent.core.model import PointInfo, Sample, Value
from agent.core.ports import Inspection
from drivers.modbus import pdu
from drivers.modbus.address import Table
from drivers.modbus.modules import Check, Command, Profile
from drivers.modbus.options import ModbusPoint
from drivers.modbus.session import ModbusSession

log = structlog.get_logger(__name__)
PERIOD_S = 1.0
"""How often the module is asked."""
WATCHDOG, SAFE_MODE = "watchdog_ok", "safe_mode"


def checks(profile: Profile) -> Iterator[tuple[str, Check]]:
    """Yield what can be asked of a module, by the local name of its point."""
    if profile.watchdog is not None:
        yield WATCHDOG, profile.watchdog
    if profile.safe_mode is not None:
        yield SAFE_MODE, profile.safe_mode


def hidden_points(profile: Profile) -> dict[str, ModbusPoint]:
    """Return the raw points behind those of the module."""
    return {name: ModbusPoint(address=check.address, poll=PERIOD_S) for name, check in checks(profile)}


def module_points(device: str, profile: Profile) -> list[PointInfo]:
    """Return the points that the module adds to its device."""
    words = {WATCHDOG: f"the watchdog of {profile.name} is on", SAFE_MODE: f"{profile.name} is in its safe mode"}
    return [
        PointInfo(f"{device}.{name}", description=words[name], stale_after_s=5 * PERIOD_S)
        for name, _ in checks(profile)
    ]


class ModuleSession:
    """See ``agent.core.ports.Session``."""

    def __init__(self, device: str, inner: ModbusSession, profile: Profile) -> None:
        self._device, self._inner, self._profile = device, inner, profile
        self._checks = {f"{device}.{name}": check for name, check in checks(profile)}
        self._refusals = {pdu.reason(code) for code in profile.refusals}
        self._refused = ""
        self._is_told = False

    async def read(self) -> Sequence[Sample]:
        """Read as ever; a module that is seen in its safe mode is cleared at once."""
        samples = [self._judged(sample) for sample in await self._inner.read()]
        told = [sample.value for sample in samples if sample.point == f"{self._device}.{SAFE_MODE}"]
        if True in told:
            await self._clear("it says so")
        elif False in told:
            self._is_told = False
        return samples

    async def fetch(self, points: Collection[str]) -> Sequence[Sample]:
        """Read these points now."""
        return [self._judged(sample) for sample in await self._inner.fetch(points)]

    async def write(self, point: str, value: Value) -> None:
        """Write; a refusal that means safe mode is answered by clearing it, so that the next write is heard."""
        try:
            await self._inner.write(point, value)
            if point == self._refused:
                self._refused, self._is_told = "", False
        except Refused as error:
            if str(error) in self._refusals:
                self._refused = point
                await self._clear(str(error))
            raise

    async def inspect(self, points: Collection[str]) -> Sequence[Inspection]:
        """Show the octets behind these points."""
        return await self._inner.inspect([point for point in points if point not in self._checks])

    async def close(self) -> None:
        """Leave the line."""
        await self._inner.close()

    def _judged(self, sample: Sample) -> Sample:
        check = self._checks.get(sample.point)
        if check is None or sample.value is None:
            return sample
        return sample._replace(value=check.is_met(int(sample.value)))

    async def _clear(self, why: str) -> None:
        """Clear the safe mode; tell of it once, however often it takes."""
        is_new, self._is_told = not self._is_told, True
        if is_new:
            log.warning("module in safe mode, clearing it", device=self._device, module=self._profile.name, reason=why)
        for command in self._profile.clear:
            answer = await self._inner.ask(_request(command))
            if code := pdu.exception_code(answer):
                if is_new:
                    log.warning("module refuses to be cleared", device=self._device, reason=pdu.reason(code))
                return


def _request(command: Command) -> pdu.Request:
    address = command.address
    if address.table is Table.COIL:
        return pdu.write_coil(address.offset, bool(command.write))
    return pdu.write_register(address.offset, command.write)
