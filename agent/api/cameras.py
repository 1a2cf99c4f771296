"""Cameras: the view that is right, and how much was really watched."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from agent.api.requests import VIEW, Body, read
from agent.core.model import Operator
from agent.coverage import CoverageRow


class CamerasView(Protocol):
    """What people do with cameras. KeyError: no such camera; NotAllowed: the text says why."""

    def accept(self, camera: str, operator: Operator) -> None:
        """Take what a camera sees now for its right view: it is not moved any more."""

    def coverage(self) -> list[CoverageRow]:
        """Return the minutes that cameras watched, by shift (the newest first) and rule."""


async def _accept(request: web.Request) -> web.Response:
    body = await read(request, Body)
    camera = request.match_info["camera"]
    request.app[VIEW].cameras.accept(camera, body.who())
    await request.app[VIEW].settle()
    return web.json_response({"accepted": camera})


async def _coverage(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIEW].cameras.coverage())


ROUTES = [
    web.get("/v1/coverage", _coverage),
    web.post("/v1/cameras/{camera}/accept", _accept),
]
