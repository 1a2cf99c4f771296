"""Fetches files with https from hosts that the site allows: bounded, paced, gone on with where it broke off."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import aiohttp

from agent.core.errors import NotAllowed, NotConnected, Refused
from agent.core.files import sha256_of
from agent.links import tls
from agent.offers.options import OfferOptions

_MB = 1 << 20
_PIECE = 1 << 16
_CONNECT_S, _READ_S = 20.0, 30.0
_BUSY = frozenset((408, 425, 429))
_PART = ".part"
_URL = re.compile(r"https://([a-z0-9.-]+(?::\d{1,5})?)(?:/[\w.~%/-]*)?", re.ASCII)


@dataclass
class Budget:
    """Octets that may still be fetched."""

    left: int

    def afford(self, octets: int) -> None:
        """Raise Refused when that is too much."""
        if octets > self.left:
            raise Refused("it is larger than the site allows (largest_mb)")

    def take(self, octets: int) -> None:
        """Count what came. Raises Refused when that is too much."""
        self.afford(octets)
        self.left -= octets


class Fetcher:
    """``context`` reads the certificates, off the event loop. Raises ValueError, OSError: which file is wrong."""

    def __init__(self, options: OfferOptions, context: Callable[[], ssl.SSLContext]) -> None:
        self._options, self._context = options, context

    def permit(self, url: str) -> None:
        """Raise NotAllowed for an address that the site does not allow."""
        found = _URL.fullmatch(url)
        if found is None:
            raise NotAllowed("the url must be https://HOST/FOLDER, the folder of the bundle's files, in plain letters")
        host = found[1].removesuffix(":443")
        if host not in {each.removesuffix(":443") for each in self._options.hosts}:
            allowed = ", ".join(self._options.hosts) or "none"
            raise NotAllowed(f"{host} is not a host that bundles are fetched from (models: offers: hosts: {allowed})")

    def budget(self, folder: Path) -> Budget:
        """Return what may still come into ``folder``."""
        have = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Budget(self._options.largest_mb * _MB - have)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open what ``file`` and ``small`` need; every compression is refused, as it hides how much comes."""
        try:
            context = await asyncio.to_thread(self._context)
        except (ValueError, OSError) as error:
            raise NotConnected(str(error)) from error
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=1),
            timeout=timeout,
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        ) as session:
            yield session

    async def small(self, session: aiohttp.ClientSession, url: str, most: int) -> bytes:
        """Return a small file. Raises Refused, NotConnected."""
        async with _answer(session, url, 0) as response:
            found = b""
            async for piece in response.content.iter_chunked(_PIECE):
                found += piece
                if len(found) > most:
                    raise Refused(f"{url} has more than {most} octets")
            return found

    async def file(self, session: aiohttp.ClientSession, url: str, path: Path, sha256: str, budget: Budget) -> None:
        """Fetch a file; what came of it earlier is kept and gone on from.

        Raises Refused for what will not do better later, NotConnected for what may.
        """
        part = path.with_name(path.name + _PART)
        have = await asyncio.to_thread(_size, part)
        if not have or await asyncio.to_thread(sha256_of, part) != sha256:
            async with _answer(session, url, have) as response:
                goes_on = _goes_on(response, have)
                budget.left += 0 if goes_on else have
                budget.afford(response.content_length or 0)  # not only when the disk is full of it
                file = await asyncio.to_thread(part.open, "ab" if goes_on else "wb")
                try:
                    await self._copy(response, file, budget)
                finally:
                    await asyncio.to_thread(file.close)
            await _judge(part, url, sha256, goes_on)
        await asyncio.to_thread(part.replace, path)

    async def _copy(self, response: aiohttp.ClientResponse, file: BinaryIO, budget: Budget) -> None:
        async for piece in response.content.iter_chunked(_PIECE):
            budget.take(len(piece))
            await asyncio.to_thread(self._write, file, piece)
            await asyncio.sleep(len(piece) / (self._options.kb_per_s * 1000))

    def _write(self, file: BinaryIO, piece: bytes) -> None:
        if shutil.disk_usage(Path(file.name).parent).free < self._options.spare_mb * _MB + len(piece):
            raise NotConnected(f"there is no room: {self._options.spare_mb} MB of the disk are spared (spare_mb)")
        file.write(piece)
        file.flush()


@asynccontextmanager
async def _answer(session: aiohttp.ClientSession, url: str, have: int) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask for a file, from octet ``have`` on; what goes wrong until it is read is told in words."""
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            _permit_answer(url, response)
            yield response
    except TimeoutError as error:
        raise NotConnected(f"{url}: no answer for {_READ_S:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        raise NotConnected(f"{url}: {tls.in_words(cause)}") from error


def _permit_answer(url: str, response: aiohttp.ClientResponse) -> None:
    status = response.status
    if 300 <= status < 400:
        where = urlsplit(response.headers.get("Location", "")).hostname or "elsewhere"
        raise Refused(f"{url} redirects (to {where!r}), which is not followed; offer the address itself")
    if status == 416:
        raise Refused(f"{url} is shorter than what came of it before: another file stands there now")
    if status in _BUSY or status >= 500:
        raise NotConnected(f"{url}: the server answers {status}")
    if status not in (200, 206):
        raise Refused(f"{url}: the server answers {status}")


async def _judge(part: Path, url: str, sha256: str, went_on: bool) -> None:
    """Delete what is not the file that was meant: as whole as it can be, it will not become it."""
    if await asyncio.to_thread(sha256_of, part) == sha256:
        return
    await asyncio.to_thread(part.unlink)
    if went_on:
        raise NotConnected(f"{url} was another file before; it begins anew")
    raise Refused(f"{url} is not the file that the manifest names: its sha256 is another one")


def _goes_on(response: aiohttp.ClientResponse, have: int) -> bool:
    if response.status != 206:
        return False
    if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise Refused(f"the server gave another part of the file than octet {have} on")
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
