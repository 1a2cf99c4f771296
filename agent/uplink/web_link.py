"""Events as HTTP requests, for a site whose centre has no broker: one POST each, in order."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

import aiohttp

from agent.links import tls
from agent.links.arrivals import LinkLost
from agent.uplink.link import Ack
from agent.uplink.one_way import OneWay
from agent.uplink.options import WebhookOptions

_SPOILT = frozenset((400, 413, 414, 415, 422))
"""What is wrong is the event: the same bytes will not do better later."""
_BUSY = frozenset((408, 425, 429))
_MALFORMED, _QUOTA, _NOT_AUTHORISED = 0x99, 0x97, 0x87
_MOST_READ = 500


class WebLink(OneWay):
    """Implements ``Link``. One event is on its way at a time: HTTP keeps no order among several."""

    def __init__(self, webhook: WebhookOptions, patience_s: float, papers: tls.Papers) -> None:
        """Prepare it; ``patience_s`` is how long it may take to be let in."""
        super().__init__(webhook.url, 1)
        self._webhook, self._patience_s, self._context = webhook, patience_s, papers.context
        self._headers = {"Content-Type": "application/cloudevents+json"}
        self._headers |= {"Authorization": f"Bearer {papers.secret}"} if papers.secret else {}
        self._session: aiohttp.ClientSession | None = None
        self._posting: asyncio.Task[None] | None = None
        self._mid = 0

    async def open(self) -> None:
        """Look whether somebody listens there. Raises LinkLost with the reason, in words."""
        parts = urlsplit(self.name)
        port = parts.port or (443 if self._context is not None else 80)
        try:
            async with asyncio.timeout(self._patience_s):
                _, writer = await asyncio.open_connection(parts.hostname, port, ssl=self._context)
        except TimeoutError:
            raise LinkLost(f"{self.name}: no answer for {self._patience_s:g} s") from None
        except OSError as error:
            raise LinkLost(f"{self.name}: {self._why(error)}") from error
        writer.close()
        timeout = aiohttp.ClientTimeout(total=self._webhook.timeout)
        connector = aiohttp.TCPConnector(ssl=self._context if self._context is not None else True, limit=1)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self._headers)

    def publish(self, _topic: str, body: bytes, user: list[tuple[str, str]], _retain: bool = False) -> int:
        """Begin to send one event; return the number that its answer will carry."""
        self._mid += 1
        headers = {f"Anshao-{name.replace('_', '-').title()}": value for name, value in user}
        self._posting = asyncio.create_task(self._post(self._mid, body, headers), name="uplink post")
        return self._mid

    async def close(self, farewell: bool) -> None:  # noqa: ARG002 - there is nobody to tell
        """End it; what is on its way is given up."""
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _post(self, mid: int, body: bytes, headers: dict[str, str]) -> None:
        assert self._session is not None
        try:
            async with self._session.post(self.name, data=body, headers=headers, allow_redirects=False) as response:
                said = (await response.content.read(_MOST_READ)).decode(errors="replace").strip()
                self._answers.put(Ack(mid, *_meaning(response.status, said)))
        except TimeoutError:
            self._answers.lose(f"no answer for {self._webhook.timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            self._answers.lose(self._why(error))

    def _why(self, error: Exception) -> str:
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        return tls.in_words(cause) if self._context is not None else str(error)


def _meaning(status: int, said: str) -> tuple[int, str]:
    """Return what an HTTP status says of an event, as an MQTT reason code, and in words."""
    if 200 <= status < 300:
        return 0, ""
    words = f"the webhook answers {status}" + (f" ({said.splitlines()[0][:80]})" if said else "")
    if status in _SPOILT:
        return _MALFORMED, words
    return (_QUOTA if status in _BUSY or status >= 500 else _NOT_AUTHORISED), words
