"""Points that nobody may write from afar: what sounds, lights, proves or acknowledges is the gateway's own."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Set

from agent.annunciation.buttons import ButtonOptions
from agent.annunciation.options import OutputOptions
from agent.site import DeviceConfig


class Guarded:
    """What the points of a site are used for by the gateway itself."""

    def __init__(
        self,
        devices: Mapping[str, DeviceConfig],
        outputs: Mapping[str, OutputOptions],
        buttons: Mapping[str, ButtonOptions],
    ) -> None:
        self._devices = devices
        self._uses = dict(_uses(devices, outputs, buttons))

    def use_of(self, point: str) -> str:
        """Return what a point, or another point at its very place in the device, is used for; empty if for nothing."""
        if point in self._uses:
            return self._uses[point]
        device, places = point.split(".")[0], self._places(point)
        same = (each for each in self._uses if each.split(".")[0] == device)
        twin = next((each for each in same if places & self._places(each)), "")
        return f"where {twin} is too, {self._uses[twin]}" if twin else ""

    def _places(self, point: str) -> Set[Hashable]:
        device, _, name = point.partition(".")
        found = self._devices[device].points.get(name) if device in self._devices else None
        return found.places() if found is not None else frozenset()


def _uses(
    devices: Mapping[str, DeviceConfig], outputs: Mapping[str, OutputOptions], buttons: Mapping[str, ButtonOptions]
) -> Iterator[tuple[str, str]]:
    for name, button in buttons.items():
        yield button.point, f"button {name!r}"
    for id_, device in devices.items():
        if device.options.heartbeat:
            yield f"{id_}.{device.options.heartbeat}", f"the heartbeat of {id_!r}"
    for name, output in outputs.items():
        if output.readback:
            yield output.readback, f"where output {name!r} is read back"
        yield output.point, f"output {name!r}"
