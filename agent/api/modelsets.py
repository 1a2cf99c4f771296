"""``/v1/models``: which model each camera runs, another one, the one before. A refusal is an answer."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web
from pydantic import Field

from agent.api.requests import Body, read
from agent.core.model import Operator


class ModelsView(Protocol):
    """The models as the API sees them. KeyError means that there is no such camera."""

    def row(self) -> dict[str, Any]:
        """Return what each camera runs, and what is kept."""

    async def activate(
        self, camera: str, model: str, operator: Operator, force: bool = False, older: bool = False
    ) -> dict[str, Any]:
        """Let a camera go on with a bundle that is kept, or that stands in a folder of the gateway.

        ``older`` takes one from a folder that is older than what has worked here; the operator's note says why.
        """

    async def shadow(self, camera: str, model: str, for_s: float, operator: Operator) -> dict[str, Any]:
        """Let a bundle look through a camera beside the model at work; it drives nothing."""

    async def stop_shadow(self, camera: str, operator: Operator) -> dict[str, Any]:
        """End it. NotAllowed when there is none."""

    async def comparison(self, camera: str) -> dict[str, Any]:
        """Return what both said, so far or the last time. NotAllowed when no bundle did so yet."""

    async def rollback(self, camera: str, operator: Operator, force: bool = False) -> dict[str, Any]:
        """Let a camera go on with the model before."""


MODELS: web.AppKey[ModelsView] = web.AppKey("models", object)  # type: ignore[arg-type]


class _Rollback(Body):
    camera: str = Field(min_length=1)
    force: bool = False


class _Activate(_Rollback):
    model: str = Field(min_length=1)
    older: bool = False


class _Stop(Body):
    camera: str = Field(min_length=1)


class _Shadow(_Stop):
    model: str = Field(min_length=1)
    for_s: float = Field(default=600.0, ge=1, le=86400)


async def _show(request: web.Request) -> web.Response:
    return web.json_response(request.app[MODELS].row())


async def _activate(request: web.Request) -> web.Response:
    body = await read(request, _Activate)
    view = request.app[MODELS]
    return web.json_response(await view.activate(body.camera, body.model, body.who(), body.force, body.older))


async def _rollback(request: web.Request) -> web.Response:
    body = await read(request, _Rollback)
    return web.json_response(await request.app[MODELS].rollback(body.camera, body.who(), body.force))


async def _shadow(request: web.Request) -> web.Response:
    body = await read(request, _Shadow)
    return web.json_response(await request.app[MODELS].shadow(body.camera, body.model, body.for_s, body.who()))


async def _stop_shadow(request: web.Request) -> web.Response:
    body = await read(request, _Stop)
    return web.json_response(await request.app[MODELS].stop_shadow(body.camera, body.who()))


async def _comparison(request: web.Request) -> web.Response:
    return web.json_response(await request.app[MODELS].comparison(request.match_info["camera"]))


ROUTES = [
    web.get("/v1/models", _show),
    web.post("/v1/models/activate", _activate),
    web.post("/v1/models/rollback", _rollback),
    web.get("/v1/models/shadow/{camera}", _comparison),
    web.post("/v1/models/shadow", _shadow),
    web.post("/v1/models/shadow/stop", _stop_shadow),
]
