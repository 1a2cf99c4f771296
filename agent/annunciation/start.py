"""What outputs do between the start and the moment at which the alarms know what they are about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

LIMIT_S = 10.0
"""After so long an output does as the alarms say, whatever is still unknown."""


class Start:
    """Outputs that wait until every input of the alarms that may drive them was known once.

    ``modes`` is ``on_start`` by output, ``inputs`` the points by output. What waits with ``hold`` is not
    switched off, with ``on`` it is switched on; an alarm that calls does not wait.
    """

    def __init__(
        self,
        modes: Mapping[str, str],
        inputs: Mapping[str, Collection[str]],
        is_known: Callable[[str, float], bool],
        began_s: float,
    ) -> None:
        self._modes = modes
        self._waiting = {name: set(inputs[name]) for name, mode in modes.items() if mode != "recompute"}
        self._is_known, self._until_s = is_known, began_s + LIMIT_S

    def is_held(self, output: str, now_s: float) -> bool:
        """Tell whether ``output`` must not be switched off yet."""
        return self._modes.get(output) == "hold" and self._waits(output, now_s)

    def forced(self, now_s: float) -> list[str]:
        """Return the outputs that must be on meanwhile."""
        return [name for name in list(self._waiting) if self._modes[name] == "on" and self._waits(name, now_s)]

    def _waits(self, output: str, now_s: float) -> bool:
        waiting = self._waiting.get(output)
        if waiting is None:
            return False
        waiting -= {point for point in waiting if self._is_known(point, now_s)}
        if waiting and now_s < self._until_s:
            return True
        del self._waiting[output]
        return False
