"""One call after another to the journal's files fails with EIO or ENOSPC: what is lost, doubled, stuck?

``python -m benchmarks.io_faults [POINTS]``
"""

from __future__ import annotations

import sys

from benchmarks.row import Row, row
from tests.faults.io_faults import faults, suffer

POINTS = 200


def rows(points: int = POINTS) -> list[Row]:
    """Return how many points were tried, and at how many something was wrong afterwards."""
    wrong = {fault: found for fault in faults(points, seed=0) if (found := suffer(fault))}
    for fault, found in wrong.items():
        print(f"{fault}: {found}")
    return [
        row("failing calls of the journal: points tried", points, ""),
        row("failing calls of the journal: with a loss, a double or a hang", len(wrong), "", most=0),
    ]


if __name__ == "__main__":
    print(*rows(int(sys.argv[1]) if len(sys.argv) > 1 else POINTS), sep="\n")
