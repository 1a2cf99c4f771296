"""Puts together what takes offers, for a site that takes them."""

from __future__ import annotations

from agent.app.modelsets import ModelSets, ModelStore
from agent.app.modelsets.arrivals import Arrivals
from agent.app.modelsets.offers import Offers
from agent.core.ports import Clock, Recorder
from agent.links import tls
from agent.offers.fetching import Fetcher
from agent.site import Site
from models.signers import Signers


def offers(
    site: Site, models: ModelSets, store: ModelStore, signers: Signers, recorder: Recorder, clock: Clock
) -> Offers | None:
    """Return what takes the offers of a site; None for a site that takes none."""
    options = site.models.offers
    if options is None:
        return None
    has_own = options.ca_file is not None or options.certificate is not None
    certificates = options if has_own or site.uplink is None else site.uplink
    fetcher = Fetcher(options, lambda: tls.context(certificates, clock.now().utc))
    arrivals = Arrivals(store, signers, fetcher, options.incoming)
    return Offers(models, arrivals, fetcher.permit, store.folder / "offers", options.give_up, recorder, clock)
