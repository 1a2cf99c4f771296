"""Lines of a chip, each requested from the kernel once, however many sessions use it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from datetime import timedelta

import gpiod
from gpiod.line import Bias, Direction, Drive, Edge, Value

from agent.core.errors import NotConnected
from drivers.gpio.options import GpioPoint

CONSUMER = "anshao"
_BIAS = {"as-is": Bias.AS_IS, "pull-up": Bias.PULL_UP, "pull-down": Bias.PULL_DOWN, "disabled": Bias.DISABLED}
_DRIVE = {"push-pull": Drive.PUSH_PULL, "open-drain": Drive.OPEN_DRAIN, "open-source": Drive.OPEN_SOURCE}


class Line:
    """One line. Raises NotConnected when the kernel refuses it or its chip is gone."""

    def __init__(self, chip: str, point: GpioPoint) -> None:
        self._chip, self._point = chip, point
        self._request = self._open()

    @property
    def fileno(self) -> int:
        """A descriptor that is readable when an edge was seen."""
        return int(self._request.fd)

    def get(self) -> bool:
        """Return the state of the line."""
        try:
            return bool(self._request.get_value(self._point.line) is Value.ACTIVE)
        except OSError as error:
            raise self._fault(error) from error

    def set(self, value: bool) -> None:
        """Drive the line."""
        try:
            self._request.set_value(self._point.line, Value.ACTIVE if value else Value.INACTIVE)
        except OSError as error:
            raise self._fault(error) from error

    def forget_edges(self) -> None:
        """Take the events that wait; the state is read by itself."""
        try:
            self._request.read_edge_events()
        except OSError as error:
            raise self._fault(error) from error

    def release(self) -> None:
        """Give the line back to the kernel."""
        self._request.release()

    def _open(self) -> gpiod.LineRequest:
        """Request the line; an output keeps the state that it has."""
        point = self._point
        try:
            if not point.writable:
                return self._ask(_input(point))
            request = self._ask(gpiod.LineSettings(direction=Direction.AS_IS, active_low=point.active_low))
            request.reconfigure_lines({point.line: _output(point, request.get_value(point.line))})
            return request
        except (OSError, ValueError) as error:
            raise self._fault(error) from error

    def _ask(self, settings: gpiod.LineSettings) -> gpiod.LineRequest:
        return gpiod.request_lines(self._chip, {self._point.line: settings}, consumer=CONSUMER)

    def _fault(self, error: Exception) -> NotConnected:
        number = error.errno if isinstance(error, OSError) else None
        if number in (None, errno.ENOENT, errno.EINVAL) and gpiod.is_gpiochip_device(self._chip):
            return NotConnected(f"{self._chip}: it has no line {self._point.line!r}; 'gpioinfo' lists them")
        what = {
            errno.EBUSY: f"line {self._point.line} is in use by {self._user()}; end that, or take another line",
            errno.EACCES: "no permission; the service's user must be in the group that owns it (gpio)",
            errno.ENOENT: "there is no such chip",
        }.get(number or 0, os.strerror(number) if number else str(error))
        return NotConnected(f"{self._chip}: {what}")

    def _user(self) -> str:
        try:
            with gpiod.Chip(self._chip) as chip:
                return chip.get_line_info(self._point.line).consumer or "another program"
        except (OSError, ValueError):
            return "another program"


class Lines:
    """The lines that sessions of this process hold."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, int | str], tuple[Line, set[object]]] = {}

    def take(self, user: object, chip: str, points: Mapping[str, GpioPoint]) -> dict[str, Line]:
        """Return the lines of points for ``user``; none is held if one cannot be had. Raises NotConnected."""
        taken: dict[str, Line] = {}
        try:
            for id_, point in points.items():
                taken[id_] = self._one(user, chip, point)
        except NotConnected:
            self.release(user)
            raise
        return taken

    def release(self, user: object) -> None:
        """``user`` needs its lines no more; those that nobody needs are given back."""
        for key, (line, users) in list(self._held.items()):
            users.discard(user)
            if not users:
                line.release()
                del self._held[key]

    def _one(self, user: object, chip: str, point: GpioPoint) -> Line:
        key = (chip, point.line)
        if key not in self._held:
            self._held[key] = (Line(chip, point), set())
        line, users = self._held[key]
        users.add(user)
        return line


def _input(point: GpioPoint) -> gpiod.LineSettings:
    return gpiod.LineSettings(
        direction=Direction.INPUT,
        edge_detection=Edge.BOTH,
        bias=_BIAS[point.bias],
        active_low=point.active_low,
        debounce_period=timedelta(seconds=point.debounce),
    )


def _output(point: GpioPoint, value: Value) -> gpiod.LineSettings:
    return gpiod.LineSettings(
        direction=Direction.OUTPUT,
        bias=_BIAS[point.bias],
        drive=_DRIVE[point.drive],
        active_low=point.active_low,
        output_value=value,
    )
