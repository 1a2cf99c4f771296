"""Looks out for a broker that is preferred to the one in use."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from agent.links.address import host_and_port

_MOST_DOUBLINGS = 5


class Scout:
    """Looks every ``every_s`` whether somebody listens at a better broker, without a word of MQTT.

    For an edge node is at one broker at a time: only when it leaves the one in use can it learn whether the better
    one takes it in and has its host. One that was left for in vain is looked at half as often each time.
    """

    def __init__(self, brokers: Sequence[str], every_s: float, limit_s: float) -> None:
        """``brokers`` are in order of preference; ``limit_s`` is how long one may take to be there."""
        self._brokers, self._every_s, self._limit_s = brokers, every_s, limit_s
        self._tried: Counter[str] = Counter()
        self._rests: Counter[str] = Counter()
        """How many looks each is left out of."""

    async def look_out(self, broker: str) -> str:
        """Return a better one than ``broker``, once somebody listens there; for ever if there is none."""
        better = self._brokers[: self._brokers.index(broker)]
        while True:
            await asyncio.sleep(self._every_s)
            for each in better:
                if self._is_due(each) and await self._listens(each):
                    self._rests[each] = 2 ** min(self._tried[each] + 1, _MOST_DOUBLINGS) - 1
                    self._tried[each] += 1
                    return each

    def found_good(self, broker: str) -> None:
        """Take note that a broker served well."""
        del self._tried[broker], self._rests[broker]

    def _is_due(self, broker: str) -> bool:
        self._rests[broker] -= 1
        return self._rests[broker] < 0

    async def _listens(self, broker: str) -> bool:
        try:
            async with asyncio.timeout(self._limit_s):
                _, writer = await asyncio.open_connection(*host_and_port(broker))
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        return True
