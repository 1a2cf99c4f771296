"""Tests that prove that sirens sound: the self-test, and the proof test of a camera."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from agent.api.requests import VIEW, Body, read
from agent.core.model import Operator


class Trials(Protocol):
    """What can be tested. KeyError means that there is no such camera."""

    def start_self_test(self, operator: Operator) -> None:
        """Switch every output on in turn, now."""

    def confirm_test(self, heard: bool, operator: Operator) -> bool:
        """Take note that somebody heard the last self-test, or did not; False when there was none."""

    async def prove(self, camera: str | None, operator: Operator) -> list[dict[str, Any]]:
        """Show a golden picture to one camera's worker, or to each; return one result for each."""


class _Confirm(Body):
    heard: bool = True


class _Prove(Body):
    camera: str | None = None


async def _self_test(request: web.Request) -> web.Response:
    body = await read(request, Body)
    request.app[VIEW].trials.start_self_test(body.who())
    return web.json_response({"testing": True})


async def _confirm(request: web.Request) -> web.Response:
    body = await read(request, _Confirm)
    return web.json_response({"confirmed": request.app[VIEW].trials.confirm_test(body.heard, body.who())})


async def _prove(request: web.Request) -> web.Response:
    body = await read(request, _Prove)
    return web.json_response({"proofs": await request.app[VIEW].trials.prove(body.camera, body.who())})


ROUTES = [
    web.post("/v1/self-test", _self_test),
    web.post("/v1/self-test/confirm", _confirm),
    web.post("/v1/proof-test", _prove),
]
