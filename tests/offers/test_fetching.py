"""Bundles from afar: only from where the site allows, whole, signed, bounded; what is not is refused in words."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from agent.app.modelsets.arrivals import Arrivals
from agent.app.modelsets.store import ModelStore
from agent.app.offering import offers
from agent.app.plan import load_plan
from agent.core.clock import SystemClock
from agent.core.errors import NotAllowed, NotConnected, Refused
from agent.core.signatures import new_key, sign
from agent.offers import Offer
from agent.offers.fetching import Fetcher
from agent.offers.options import OfferOptions
from models.bundle import load_bundle
from models.signers import Signers, add_signature
from tests.fakes import FakeRecorder, until
from tests.models.bundles import bundle
from tests.offers.test_offers import Plant
from tests.servers.certificates import Authority

PEM, PUBLIC = new_key()
SIGNERS = Signers({"works": PUBLIC})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle that the site's key signed, and two authorities."""
    folder = tmp_path_factory.mktemp("made")
    bundle(folder / "ppe")
    signed(folder / "ppe")
    yield folder / "ppe"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


def signed(folder: Path) -> None:
    add_signature(folder, sign((folder / "manifest.yaml").read_bytes(), PEM)[0])


@dataclass
class Server:
    """Serves a folder; ``break_at`` cuts that file off once, ``odd`` answers for what must not be fetched so."""

    folder: Path
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    break_at: dict[str, int] = field(default_factory=dict)
    odd: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append((name, request.headers.get("Range", "")))
        path = self.folder / name
        if self.odd and name.endswith(".onnx"):
            return await self._odd(request)
        if name in self.break_at:
            response = web.StreamResponse(headers={"Content-Length": str(path.stat().st_size)})
            await response.prepare(request)
            await response.write(path.read_bytes()[: self.break_at.pop(name)])
            await asyncio.sleep(0.2)  # a line that is reset takes what was not read yet with it
            assert request.transport is not None
            request.transport.close()
            return response
        return web.FileResponse(path) if path.is_file() else web.Response(status=404)

    async def _odd(self, request: web.Request) -> web.StreamResponse:
        if self.odd == "redirect":
            return web.Response(status=302, headers={"Location": f"https://evil.example:{self.port}/x.onnx"})
        if self.odd == "busy":
            return web.Response(status=503)
        if self.odd == "large":
            response = web.StreamResponse(headers={"Content-Length": str(10 << 30)})
            await response.prepare(request)
            await asyncio.sleep(60)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:  # endless
            await response.write(bytes(1 << 16))
        return response


@asynccontextmanager
async def serving(server: Server, pki: Authority) -> AsyncIterator[Server]:
    pair = pki.issue("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    app = web.Application()
    app.add_routes([web.get("/ppe/{name:.*}", server.answer)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield server
    finally:
        await runner.cleanup()


def arrivals(folder: Path, pki: Authority, port: int = 1, **options: object) -> Arrivals:
    told = {"hosts": [f"127.0.0.1:{port}"], "kb_per_s": 10**6, "spare_mb": 0, **options}
    made = OfferOptions.model_validate(told)
    fetcher = Fetcher(made, lambda: ssl.create_default_context(cafile=pki.certificate))
    return Arrivals(ModelStore(folder / "models", SIGNERS), SIGNERS, fetcher, made.incoming)


def offer(folder: Path, port: int | None = None, **more: Any) -> Offer:
    sha256 = hashlib.sha256((folder / "manifest.yaml").read_bytes()).hexdigest()
    url = f"https://127.0.0.1:{port}/ppe" if port is not None else ""
    return replace(Offer("o1", "gate", "ppe", "9.0.1", sha256, "Li Wei", "mqtt", url=url), **more)


async def test_a_bundle_is_fetched_whole_and_once(made: Path, pki: Authority, tmp_path: Path) -> None:
    async with serving(Server(made), pki) as server:
        place, steps = arrivals(tmp_path, pki, server.port), list[str]()
        found = await place.find(offer(made, server.port), lambda: steps.append("fetching"))
        assert load_bundle(Path(found)).title.endswith("9.0.1") and steps == ["fetching"]
        assert [name for name, _ in server.asked[:2]] == ["manifest.yaml", "manifest.sig"]
        server.asked.clear()
        await place.find(offer(made, server.port), lambda: None)
        assert [name for name, _ in server.asked] == ["manifest.yaml", "manifest.sig"], "the files are there"
        await place.forget([])
        assert not Path(found).exists()


async def test_one_that_breaks_off_goes_on_where_it_broke(made: Path, pki: Authority, tmp_path: Path) -> None:
    async with serving(Server(made, break_at={"wearing.onnx": 100_000}), pki) as server:
        place = arrivals(tmp_path, pki, server.port)
        with pytest.raises(NotConnected, match="wearing"):
            await place.find(offer(made, server.port), lambda: None)
        part = place.fetched / offer(made).sha256 / "wearing.onnx.part"
        have = part.stat().st_size
        assert 0 < have <= 100_000
        again = arrivals(tmp_path, pki, server.port)  # as after a restart
        found = await again.find(offer(made, server.port), lambda: None)
        assert ("wearing.onnx", f"bytes={have}-") in server.asked and load_bundle(Path(found))


async def test_what_came_before_of_another_file_begins_anew(made: Path, pki: Authority, tmp_path: Path) -> None:
    async with serving(Server(made), pki) as server:
        place = arrivals(tmp_path, pki, server.port)
        part = place.fetched / offer(made).sha256 / "wearing.onnx.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"of an older one")
        with pytest.raises(NotConnected, match="begins anew"):
            await place.find(offer(made, server.port), lambda: None)
        assert load_bundle(Path(await place.find(offer(made, server.port), lambda: None)))


async def test_nothing_large_is_fetched_of_what_is_not_meant_or_not_signed(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    async with serving(Server(shutil.copytree(made, tmp_path / "served")), pki) as server:
        place = arrivals(tmp_path, pki, server.port)
        with pytest.raises(Refused, match="not the manifest that was offered"):
            await place.find(offer(made, server.port, sha256="0" * 64), lambda: None)
        with pytest.raises(Refused, match=r"is ppe/9.0.1, not ppe/2.0.0"):
            await place.find(offer(made, server.port, version="2.0.0"), lambda: None)
        (server.folder / "manifest.sig").write_text("")
        with pytest.raises(Refused, match="somebody else signed it"):
            await place.find(offer(made, server.port), lambda: None)
        assert {name for name, _ in server.asked} == {"manifest.yaml", "manifest.sig"}


async def test_a_file_that_is_not_the_one_named_is_refused_and_deleted(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    async with serving(Server(shutil.copytree(made, tmp_path / "served")), pki) as server:
        (server.folder / "wearing.onnx").write_bytes(b"not a network")
        place = arrivals(tmp_path, pki, server.port)
        with pytest.raises(Refused, match="its sha256 is another"):
            await place.find(offer(made, server.port), lambda: None)
        assert not list(place.fetched.rglob("*.part"))


@pytest.mark.parametrize(
    ("odd", "error", "words"),
    [
        ("redirect", Refused, "redirects .to 'evil.example'., which is not followed"),
        ("large", Refused, "larger than the site allows"),
        ("endless", Refused, "larger than the site allows"),
        ("busy", NotConnected, "answers 503"),
    ],
)
async def test_a_server_that_misbehaves(
    made: Path, pki: Authority, tmp_path: Path, odd: str, error: type[Exception], words: str
) -> None:
    async with serving(Server(made, odd=odd), pki) as server:
        with pytest.raises(error, match=words):
            await arrivals(tmp_path, pki, server.port, largest_mb=2).find(offer(made, server.port), lambda: None)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 3 << 20


async def test_a_server_of_another_authority_and_a_full_disk_are_waited_for(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    async with serving(Server(made), pki) as server:
        with pytest.raises(NotConnected, match="whom 'ca_file' does not name"):
            await arrivals(tmp_path, other, server.port).find(offer(made, server.port), lambda: None)
        with pytest.raises(NotConnected, match="there is no room: 1000000000 MB"):
            await arrivals(tmp_path, pki, server.port, spare_mb=10**9).find(offer(made, server.port), lambda: None)


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/ppe",
        "https://models.example.evil.org/ppe",
        "https://models.example:8443/ppe",
        "https://models.example@evil.org/ppe",
        "https://evil.org#@models.example/ppe",
        "https://evil.org\\@models.example/ppe",
        "https://models.example/ppe?to=evil",
        "https://models.exa\tmple/ppe",
        "file:///etc/passwd",
        "https:///ppe",
    ],
)
def test_only_hosts_of_the_site_are_asked(url: str) -> None:
    fetcher = Fetcher(OfferOptions.model_validate({"hosts": ["models.example"]}), ssl.create_default_context)
    with pytest.raises(NotAllowed):
        fetcher.permit(url)
    fetcher.permit("https://models.example/ppe/9.0.1/")
    fetcher.permit("https://models.example:443")


async def test_what_somebody_brought_is_found_by_its_manifest_and_verified(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    brought = tmp_path / "incoming"
    place = arrivals(tmp_path, pki, incoming=brought)
    with pytest.raises(Refused, match="has no bundle with this sha256"):
        await place.find(offer(made), lambda: None)
    shutil.copytree(made, brought / "usb" / "whatever")
    assert await place.find(offer(made), lambda: None) == str(brought / "usb" / "whatever")
    with pytest.raises(Refused, match=r"is ppe/9.0.1, not ppe/2.0.0"):
        await place.find(offer(made, version="2.0.0"), lambda: None)
    (brought / "usb" / "whatever" / "manifest.sig").unlink()
    with pytest.raises(Refused, match="is not signed"):
        await place.find(offer(made), lambda: None)


async def test_what_is_kept_is_found_and_its_name_is_not_given_twice(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    place = arrivals(tmp_path, pki)
    place._store.keep(place._store.stage(made))
    assert await place.find(offer(made), lambda: None) == "ppe/9.0.1"
    with pytest.raises(Refused, match="kept already with other files"):
        await place.find(offer(made, sha256="0" * 64), lambda: None)


async def test_a_site_has_what_takes_offers_with_the_certificates_of_its_uplink(
    made: Path, pki: Authority, tmp_path: Path
) -> None:
    store = ModelStore(tmp_path / "models", SIGNERS)
    async with serving(Server(made), pki) as server:
        (tmp_path / "site.yaml").write_text(f"""
gateway: {{id: gw, site: works}}
models:
  trusted_keys: {{works: {PUBLIC}}}
  offers: {{hosts: ["127.0.0.1:{server.port}"], give_up: 20s, spare_mb: 0, kb_per_s: 1000000}}
uplink: {{brokers: [mqtts://centre], ca_file: {pki.certificate}}}
""")
        site, recorder, models = load_plan(tmp_path / "site.yaml").site, FakeRecorder(), Plant()
        desk = offers(site, cast(Any, models), store, SIGNERS, recorder, SystemClock())
        assert desk is not None
        task = asyncio.create_task(desk.run())
        with pytest.raises(NotAllowed, match="is not a host that"):
            desk.accept(offer(made, url="https://evil.org/ppe"))
        desk.accept(offer(made, server.port))
        await until(lambda: [each.data["step"] for each in recorder.events][-1] == "active", limit_s=10.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    (asked,) = models.asked
    assert asked[2] == str(store.folder / "fetched" / asked[4]) and load_bundle(Path(asked[2])).digest() == asked[4]
