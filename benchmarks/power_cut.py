"""The power goes at any moment, and the disk keeps any part of what was not flushed: what does each start find?

``python -m benchmarks.power_cut [STATES]``
"""

from __future__ import annotations

import sys

from benchmarks.row import Row, row
from tests.faults.power_cut import cut_power, record_work

STATES = 5000
EVENTS = 300
FAULTS = (
    "no start",
    "acknowledged events lost",
    "acknowledged events that will never be sent",
    "alarm states apart from their events",
    "damaged files",
)


def rows(states: int = STATES) -> list[Row]:
    """Return how many starts there were, and how many found each thing wrong."""
    operations = record_work(EVENTS)
    found = cut_power(operations, states, seed=0)
    told = [row(f"power cuts over {len(operations)} recorded operations: starts", found["starts"], "", least=states)]
    return [*told, *(row(f"power cuts: {fault}", found[fault], "", most=0) for fault in FAULTS)]


if __name__ == "__main__":
    print(*rows(int(sys.argv[1]) if len(sys.argv) > 1 else STATES), sep="\n")
