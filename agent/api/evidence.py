"""Pictures and clips of alarms: what there is, one of them, and sending it to the centre."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from agent.api.requests import VIEW, Body, read
from agent.core.model import Operator
from agent.evidence import ItemRow


class EvidenceView(Protocol):
    """KeyError means that there is no such evidence; NotAllowed that it is not for everybody, or not sound."""

    def rows(self, alarm: str | None, occurrence: str | None) -> list[ItemRow]:
        """Return what there is, the oldest first; of one alarm or occurrence only."""

    async def content(self, id_: str, operator: Operator | None) -> tuple[str, bytes]:
        """Return media type and bytes of a file."""

    def send(self, id_: str) -> int:
        """Send a file to the centre; return in how many parts."""

    async def verify(self) -> list[dict[str, str]]:
        """Return each file's ``id`` and ``fault``, which is empty where there is none."""


async def _rows(request: web.Request) -> web.Response:
    query = request.query
    return web.json_response(request.app[VIEW].evidence.rows(query.get("alarm"), query.get("occurrence")))


async def _verify(request: web.Request) -> web.Response:
    return web.json_response(await request.app[VIEW].evidence.verify())


async def _content(request: web.Request) -> web.Response:
    return await _file(request, None)


async def _original(request: web.Request) -> web.Response:
    """Give a file also where it shows faces, to who is named and permitted."""
    return await _file(request, (await read(request, Body)).who())


async def _send(request: web.Request) -> web.Response:
    await read(request, Body)
    return web.json_response({"parts": request.app[VIEW].evidence.send(_id(request))})


async def _file(request: web.Request, operator: Operator | None) -> web.Response:
    media_type, content = await request.app[VIEW].evidence.content(_id(request), operator)
    return web.Response(body=content, content_type=media_type, headers={"Cache-Control": "no-store"})


def _id(request: web.Request) -> str:
    return f"{request.match_info['order']}/{request.match_info['kind']}"


ROUTES = [
    web.get("/v1/evidence", _rows),
    web.get("/v1/evidence/verify", _verify),
    web.get("/v1/evidence/{order}/{kind}", _content),
    web.post("/v1/evidence/{order}/{kind}", _original),
    web.post("/v1/evidence/{order}/{kind}/send", _send),
]
