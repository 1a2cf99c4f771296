"""Tools for who commissions a site: they connect by themselves, and need no agent that runs."""
