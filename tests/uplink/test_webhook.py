"""Events as HTTP requests: in order, at least once, and what an answer means."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent.core.model import Lane
from agent.uplink.options import UplinkOptions
from tests.fakes import until
from tests.servers.certificates import Authority
from tests.servers.process import free_port
from tests.uplink.conftest import Gateway, until_empty

pytestmark = pytest.mark.usefixtures("fast_backoff")


class Hook:
    """A centre that answers as it is told: an HTTP status, or 0 for no answer at all."""

    def __init__(self, answer: Callable[[dict[str, Any]], int] = lambda _: 202) -> None:
        self.answer, self.events, self.headers = answer, list[dict[str, Any]](), list[Any]()
        self.most_at_once = self._now = 0

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[int]:
        app = web.Application()
        app.add_routes([web.post("/events", self._take)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        try:
            yield site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        event = json.loads(await request.read())
        self.events.append(event)
        self.headers.append(request.headers)
        await asyncio.sleep(0.002)
        status = self.answer(event)
        self._now -= 1
        if status == 0:
            await asyncio.sleep(30.0)
        return web.Response(status=status, text="because")

    def subjects(self) -> list[str]:
        return [event["subject"] for event in self.events]


def posting(folder: Path, port: int, **more: Any) -> Gateway:
    gateway = Gateway(folder, 1)
    webhook = {"url": f"http://127.0.0.1:{port}/events", "timeout": 0.5, **more}
    gateway.options = UplinkOptions.model_validate({"webhook": webhook})
    return gateway


async def test_events_arrive_one_by_one_with_alarms_first(tmp_path: Path) -> None:
    hook = Hook()
    (tmp_path / "token").write_text("s3cret")
    (tmp_path / "token").chmod(0o600)
    async with hook.serving() as port:
        gateway = posting(tmp_path, port, token={"file": tmp_path / "token"})
        with gateway.journal:
            gateway.record(*map(str, range(40)), lane=Lane.STATE)
            gateway.record("urgent")
            await gateway.journal.settled()
            async with gateway.running() as uplink:
                await until_empty(gateway)
                assert uplink.status.online and uplink.status.sent == 41
    assert hook.subjects() == ["urgent", *map(str, range(40))] and hook.most_at_once == 1
    assert hook.headers[0]["Content-Type"] == "application/cloudevents+json"
    assert hook.headers[0]["Authorization"] == "Bearer s3cret" and hook.headers[0]["Anshao-Replayed"] == "true"


@pytest.mark.parametrize("status", [401, 404, 301, 429, 503, 500])
async def test_what_is_not_taken_stays_and_goes_once_it_is(tmp_path: Path, status: int) -> None:
    answer = status
    hook = Hook(lambda _: answer)
    async with hook.serving() as port:
        gateway = posting(tmp_path, port)
        with gateway.journal:
            gateway.record("a", "b")
            async with gateway.running() as uplink:
                await until(lambda: uplink.status.reason == f"the webhook answers {status} (because)")
                assert await gateway.pending() == 2
                answer = 204
                await until_empty(gateway)
    assert hook.subjects()[-2:] == ["a", "b"] and set(hook.subjects()[:-2]) == {"a"}


async def test_a_poisonous_event_blocks_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.uplink.flight.POISON_PAUSE_S", 0.02)
    hook = Hook(lambda event: 422 if event["subject"] == "bad" else 200)
    async with hook.serving() as port:
        gateway = posting(tmp_path, port)
        with gateway.journal:
            gateway.record("bad", "good")
            async with gateway.running():
                await until_empty(gateway)
    assert hook.subjects().count("bad") == 5
    (loss,) = [event for event in hook.events if event["type"] == "anshao.loss.v1"]
    assert loss["data"]["reason"] == "refused 5 times: the webhook answers 422 (because)"


async def test_silence_and_absence_are_told_and_lose_nothing(tmp_path: Path) -> None:
    answer, port = 0, free_port()
    hook = Hook(lambda _: answer)
    gateway = posting(tmp_path, port)
    with gateway.journal:
        gateway.record("a")
        async with gateway.running() as uplink:
            await until(lambda: "refused" in uplink.status.reason.lower() or "Connect" in uplink.status.reason)
            async with hook.serving(port):
                await until(lambda: "no answer for 0.5 s" in uplink.status.reason, limit_s=5.0)
                assert await gateway.pending() == 1
                answer = 200
                await until_empty(gateway)


async def test_certificates_of_a_webhook_are_judged_in_words(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "stranger")
    pair = ours.issue("hook")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    gateway = posting(tmp_path, 1)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"
    made = {"webhook": {"url": url}, "ca_file": other.certificate}
    gateway.options = UplinkOptions.model_validate(made)
    with gateway.journal:
        async with gateway.running() as uplink:
            await until(lambda: "signed by somebody whom 'ca_file' does not name" in uplink.status.reason)
    server.close()
