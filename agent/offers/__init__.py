"""Model bundles that the centre offers: what an offer is, what a site allows, and how the files are fetched."""

from __future__ import annotations

from agent.offers.offer import Offer, Step

__all__ = ["Offer", "Step"]
