"""What ``site.yaml`` may say under ``models: {offers: …}``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.core.durations import Duration
from agent.core.secrets import File
from agent.links.options import CertificateOptions


def _host(value: str) -> str:
    found = re.fullmatch(r"[a-z0-9.-]+(?::(\d{1,5}))?", value)
    if found is None or not 0 < int(found[1] or 443) < 65536:
        raise ValueError(f"{value!r} is no host; write HOST or HOST:PORT, in small letters, without https://")
    return value


class OfferOptions(CertificateOptions):
    """Where an offered bundle may come from; a site without this section takes no offers.

    Without certificates of its own, what the uplink has is used.
    """

    incoming: File | None = Field(default=None, description="bundles lie below it that somebody brought")
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(), description="bundles are fetched from these with https, and from nowhere else"
    )
    largest_mb: int = Field(default=500, ge=1, description="of a whole bundle that is fetched")
    spare_mb: int = Field(default=500, ge=0, description="room that fetching leaves on the disk")
    kb_per_s: int = Field(default=1000, ge=1, description="fetching is no faster: events need the line, too")
    give_up: Duration = Field(default=21600.0, ge=1, description="an offer that is not taken by then is refused")
