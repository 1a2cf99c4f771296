"""Every fault campaign in one go: ``python -m benchmarks.campaign [short|full]``. ``make campaign`` runs the full one.

The short one is part of CI: 200 kills of journal and uplink with cut connections, 20 of their broker, 5,000 power cuts
and 70 failing calls of the disk. With no failure in N trials the rate is below 3/N (95 %).
"""

from __future__ import annotations

import sys

from benchmarks import edge_campaign, io_faults, kill_campaign, power_cut
from benchmarks.__main__ import report

PLANS = {"short": (200, 20, 5_000, 70, 0), "full": (3_000, 300, 100_000, 1_000, 300)}
"""Kills of the edge and of its broker, power cuts, failing calls, kills of the whole agent."""


def main(plan: str) -> int:
    """Return 1 if anything was lost, doubled beyond the window, or stuck."""
    kills, broker_kills, cuts, calls, agents = PLANS[plan]
    found = [*edge_campaign.rows(kills, broker_kills), *power_cut.rows(cuts), *io_faults.rows(calls)]
    if agents:
        found += kill_campaign.rows(agents)
    return report(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2] or ["full"]))
