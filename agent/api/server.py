"""HTTP on a Unix socket: who may open the socket may use it (its group, by the file's mode)."""

from __future__ import annotations

import asyncio
import json
import re
import socket as sockets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from agent.api import cameras, evidence, explaining, modelsets, operations, rulesets, trials
from agent.api.requests import VIEW, Body, read
from agent.api.view import GatewayView
from agent.core.document import suggestion
from agent.core.errors import NotAllowed

_HEARTBEAT_S = 5.0
_LONGEST_PATH = 107


class _Silence(Body):
    alarm: str | None = None


class _Test(Body):
    seconds: float = Field(default=3.0, gt=0, le=60)
    outputs: list[str] | None = None


class _Page(BaseModel):
    limit: int = Field(default=50, ge=1, le=10_000)
    after: int | None = None
    lane: str | None = None


@asynccontextmanager
async def serve(view: GatewayView, path: Path) -> AsyncIterator[None]:
    """Serve at ``path`` while the body runs. Raises OSError when another agent listens there already."""
    _clear(path)
    app = web.Application(middlewares=[_explain], client_max_size=64 * 1024)
    app[VIEW] = view
    app[rulesets.RULES] = view.rules
    app[modelsets.MODELS] = view.models
    more = (operations, explaining, rulesets, modelsets, trials, evidence, cameras)
    app.add_routes([*_ROUTES, *(route for each in more for route in each.ROUTES)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    await asyncio.to_thread(path.chmod, 0o660)
    try:
        yield
    finally:
        await runner.cleanup()


def _clear(path: Path) -> None:
    """Remove a socket that a dead agent left behind; refuse one where somebody answers."""
    if len(str(path).encode()) > _LONGEST_PATH:
        raise OSError(f"{path} is too long for a socket ({_LONGEST_PATH} bytes); name a shorter one with --socket")
    path.parent.mkdir(parents=True, exist_ok=True)
    with sockets.socket(sockets.AF_UNIX) as probe:
        probe.settimeout(1.0)
        if path.exists() and probe.connect_ex(str(path)) == 0:
            raise OSError(f"an agent listens at {path} already; stop it, or give this one another --socket")
    path.unlink(missing_ok=True)


async def _status(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIEW].status())


async def _points(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIEW].points())


async def _alarms(request: web.Request) -> web.Response:
    everything = request.query.get("all", "0") not in ("", "0", "false")
    return web.json_response(request.app[VIEW].alarms(everything))


async def _events(request: web.Request) -> web.Response:
    page = _Page.model_validate(dict(request.query))
    return web.json_response(await request.app[VIEW].events(page.limit, page.after, page.lane))


async def _picture(request: web.Request) -> web.Response:
    picture = request.app[VIEW].picture(request.match_info["camera"])
    if picture is None:
        return _error(503, "there is no picture yet; is the camera online?")
    return web.Response(body=picture, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


async def _acknowledge(request: web.Request) -> web.Response:
    body = await read(request, Body)
    done = request.app[VIEW].acknowledge(request.match_info["alarm"], body.who())
    await request.app[VIEW].settle()
    return web.json_response({"acknowledged": done})


async def _silence(request: web.Request) -> web.Response:
    body = await read(request, _Silence)
    silenced = request.app[VIEW].silence(body.alarm, body.who())
    await request.app[VIEW].settle()
    return web.json_response({"silenced": silenced})


async def _test(request: web.Request) -> web.Response:
    body = await read(request, _Test)
    request.app[VIEW].test_outputs(body.seconds, body.outputs, body.who())
    return web.json_response({"testing": body.seconds})


async def _stream(request: web.Request) -> web.StreamResponse:
    """Server-sent events: each envelope as it reaches the disk, a comment as a heartbeat."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    stream = aiter(request.app[VIEW].stream())
    coming = asyncio.ensure_future(anext(stream))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=_HEARTBEAT_S)
            line = b": alive\n\n"
            if done:
                line = b"data: " + _json(coming.result()) + b"\n\n"
                coming = asyncio.ensure_future(anext(stream))
            await response.write(line)
    except ConnectionError:
        return response
    finally:
        coming.cancel()


def _json(envelope: object) -> bytes:
    """Return UTF-8; half a surrogate pair, which a device's text may hold and UTF-8 cannot, stays as its escape."""
    text = json.dumps(envelope, ensure_ascii=False)
    return text.encode() if text.isascii() else re.sub("[\ud800-\udfff]", _escape, text).encode()


def _escape(half: re.Match[str]) -> str:
    return f"\\u{ord(half[0]):04x}"


_ROUTES = [
    web.get("/v1/status", _status),
    web.get("/v1/points", _points),
    web.get("/v1/alarms", _alarms),
    web.get("/v1/events", _events),
    web.get("/v1/stream", _stream),
    web.get("/v1/cameras/{camera}/picture", _picture),
    web.post("/v1/alarms/{alarm}/acknowledge", _acknowledge),
    web.post("/v1/silence", _silence),
    web.post("/v1/outputs/test", _test),
]


@web.middleware
async def _explain(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """Turn what went wrong into an answer that says what would be right."""
    try:
        return await handler(request)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in error.errors()]
        return _error(400, "; ".join(faults))
    except KeyError as error:
        return _error(404, _nothing_called(str(error.args[0]), request.app[VIEW]))
    except NotAllowed as error:
        return _error(409, str(error))
    except sqlite3.Error as error:
        return _error(503, f"the journal cannot be read now: {error}")
    except web.HTTPException as error:
        return _error(error.status, f"{request.method} {request.path}: {error.reason}")


def _nothing_called(name: str, view: GatewayView) -> str:
    status = view.status()
    known = [alarm["id"] for alarm in view.alarms(True)]
    known += [each["id"] for each in status["outputs"]] + [each["id"] for each in status["cameras"]]
    hint = suggestion(name, known)
    return f"there is no {name!r}{hint if 'did you mean' in hint else ''}"


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
