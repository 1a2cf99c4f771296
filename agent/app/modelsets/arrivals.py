"""Where the bytes of an offered bundle are: kept, brought by somebody, or fetched. Nothing of it is run here."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator
from itertools import chain, islice
from pathlib import Path
from urllib.parse import quote

import aiohttp

from agent.app.modelsets.store import ModelStore, key_of
from agent.core.document import Document
from agent.core.errors import ConfigError, NotConnected, Refused
from agent.core.files import replace_durably, sha256_of
from agent.offers import Offer
from agent.offers.fetching import Fetcher
from models.bundle import Bundle, Manifest
from models.signers import SIGNATURES, Signers

_MANIFEST = "manifest.yaml"
_LARGEST_MANIFEST, _LARGEST_SIGNATURES = 1 << 20, 4096
_MOST_BROUGHT = 1000


class Arrivals:
    """``fetched`` is the folder in which bundles are put together that are fetched."""

    def __init__(self, store: ModelStore, signers: Signers, fetcher: Fetcher, incoming: Path | None) -> None:
        self.fetched = store.folder / "fetched"
        self._store, self._signers, self._fetcher, self._incoming = store, signers, fetcher, incoming
        self._line = asyncio.Lock()
        """One at a time uses it."""

    async def find(self, offer: Offer, fetching: Callable[[], None]) -> str:
        """Return what ``ModelSets`` takes: the key of a bundle that is kept, or its folder.

        ``fetching`` is called when it must be fetched. Raises Refused; NotConnected for what may do better later.
        """
        here = await self._look(offer)
        if here:
            return here
        if not offer.url:
            place = f"not under {self._incoming}" if self._incoming is not None else "there is no incoming folder"
            raise Refused(f"the gateway has no bundle with this sha256 ({place}), and the offer has no url")
        async with self._line:
            here = await self._look(offer)  # for another camera, meanwhile
            if not here:
                fetching()
                await self._fetch(offer, self._folder(offer))
            return here or str(self._folder(offer))

    async def forget(self, kept: Collection[Offer]) -> None:
        """Delete what was fetched, and is not wanted by an offer that is in hand."""
        wanted = {offer.sha256 for offer in kept}
        await asyncio.to_thread(_delete_others, self.fetched, wanted)

    def _folder(self, offer: Offer) -> Path:
        return self.fetched / offer.sha256

    async def _look(self, offer: Offer) -> str:
        try:
            return await asyncio.to_thread(self._here, offer)
        except OSError as error:  # somebody is bringing it just now
            raise NotConnected(f"what is here cannot be read: {error}") from error

    def _here(self, offer: Offer) -> str:
        kept = self._store.path(offer.key) / _MANIFEST
        if kept.is_file() and not self._store.fault(offer.key):
            if sha256_of(kept) == offer.sha256:
                return offer.key
            raise Refused(f"{offer.key} is kept already with other files; give the new one a new version")
        for path in _brought(self._incoming) if self._incoming is not None else ():
            if sha256_of(path) == offer.sha256:
                self._permit(offer, path.parent)
                return str(path.parent)
        return ""

    async def _fetch(self, offer: Offer, folder: Path) -> None:
        try:
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            async with self._fetcher.session() as session:
                await self._papers(session, offer, folder)
                manifest = await asyncio.to_thread(self._permit, offer, folder)
                await self._files(session, offer, folder, manifest)
        except OSError as error:
            raise NotConnected(f"it cannot be written: {error.strerror or error}") from error

    async def _papers(self, session: aiohttp.ClientSession, offer: Offer, folder: Path) -> None:
        """Fetch manifest and signatures, and nothing else before they are known to be good."""
        content = await self._fetcher.small(session, _address(offer, _MANIFEST), _LARGEST_MANIFEST)
        if hashlib.sha256(content).hexdigest() != offer.sha256:
            raise Refused(f"{_address(offer, _MANIFEST)} is not the manifest that was offered: its sha256 is another")
        signatures = await self._fetcher.small(session, _address(offer, SIGNATURES), _LARGEST_SIGNATURES)
        for name, octets in ((_MANIFEST, content), (SIGNATURES, signatures)):
            await asyncio.to_thread(replace_durably, folder / name, octets, folder / f"{name}.new")

    async def _files(self, session: aiohttp.ClientSession, offer: Offer, folder: Path, manifest: Manifest) -> None:
        budget = await asyncio.to_thread(self._fetcher.budget, folder)
        for name, sha256 in manifest.files.items():
            path = folder / name
            if path.is_file():
                continue
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await self._fetcher.file(session, _address(offer, name), path, sha256, budget)

    def _permit(self, offer: Offer, folder: Path) -> Manifest:
        """Return the manifest. Raises Refused when nobody signed it whom the site trusts, or it is another bundle's."""
        if fault := self._signers.fault(folder):
            raise Refused(f"the manifest {fault}")
        try:
            manifest, faults = Document.load(folder / _MANIFEST).read(Manifest)
        except ConfigError as error:
            raise Refused(str(error)) from error
        if manifest is None:
            raise Refused("\n".join(map(str, faults)))
        found = key_of(Bundle(folder, manifest))
        if found != offer.key:
            raise Refused(f"the bundle with this sha256 is {found}, not {offer.key}")
        return manifest


def _address(offer: Offer, name: str) -> str:
    return f"{offer.url.rstrip('/')}/{quote(name)}"


def _brought(incoming: Path) -> Iterator[Path]:
    """Yield manifests one or two folders below: ``ppe-1.0.1`` or ``ppe/1.0.1``."""
    found = chain(incoming.glob(f"*/{_MANIFEST}"), incoming.glob(f"*/*/{_MANIFEST}"))
    return (path for path in islice(found, _MOST_BROUGHT) if path.stat().st_size <= _LARGEST_MANIFEST)


def _delete_others(folder: Path, wanted: Collection[str]) -> None:
    for path in folder.glob("*"):
        if path.name not in wanted:
            shutil.rmtree(path, ignore_errors=True)
