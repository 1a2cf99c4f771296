"""Shelving, service, and the figures of the alarm system."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from agent.api.requests import VIEW, Body, read
from agent.core.model import Operator
from agent.kpi import Figures
from agent.reports import RemovalRow


class RemovedRow(RemovalRow):
    """An alarm that calls nobody: ``state`` is shelved, suppressed-by-design or out-of-service."""

    id: str
    name: dict[str, str]
    priority: str
    state: str
    active: bool


class StandingRow(TypedDict):
    """An alarm that stands, and since when it was raised."""

    id: str
    name: dict[str, str]
    priority: str
    raised_at: str | None
    off_delay_s: float


class FloodRow(TypedDict):
    """A flood; the zone of the whole area is empty."""

    zone: str
    since: str
    raised: int
    by_priority: dict[str, int]


class Report(TypedDict):
    """``spans`` has 24h and 30d. ``stale`` stand for more than a day."""

    at: str
    crew: str
    raised_10min: int
    floods: list[FloodRow]
    chattering: list[StandingRow]
    stale: list[StandingRow]
    removed: list[RemovedRow]
    spans: dict[str, Figures]


class OperationsView(Protocol):
    """What people do with alarms beside acknowledging. KeyError: no such alarm; NotAllowed: the text says why."""

    def removed(self) -> list[RemovedRow]:
        """Return the alarms that call nobody now, with who, why and until when."""

    def report(self) -> Report:
        """Return the figures."""

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        """Put an alarm away for a while."""

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        """Take it off its shelf; False when it lay on none."""

    def take_out(self, alarm: str, second: str, operator: Operator) -> bool:
        """Take it out of service."""

    def bring_back(self, alarm: str, operator: Operator) -> bool:
        """Put it into service again; False when it was."""


class _Shelve(Body):
    seconds: float = Field(gt=0)


class _TakeOut(Body):
    second: str = Field(default="", max_length=80, description="who else agreed")


async def _removed(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIEW].operations.removed())


async def _kpi(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIEW].operations.report())


async def _shelve(request: web.Request) -> web.Response:
    body = await read(request, _Shelve)
    done = request.app[VIEW].operations.shelve(request.match_info["alarm"], body.seconds, body.who())
    return await _settled(request, shelved=done)


async def _unshelve(request: web.Request) -> web.Response:
    body = await read(request, Body)
    return await _settled(
        request, unshelved=request.app[VIEW].operations.unshelve(request.match_info["alarm"], body.who())
    )


async def _take_out(request: web.Request) -> web.Response:
    body = await read(request, _TakeOut)
    done = request.app[VIEW].operations.take_out(request.match_info["alarm"], body.second, body.who())
    return await _settled(request, out_of_service=done)


async def _bring_back(request: web.Request) -> web.Response:
    body = await read(request, Body)
    done = request.app[VIEW].operations.bring_back(request.match_info["alarm"], body.who())
    return await _settled(request, in_service=done)


async def _settled(request: web.Request, **answer: Any) -> web.Response:
    await request.app[VIEW].settle()
    return web.json_response(answer)


ROUTES = [
    web.get("/v1/removed", _removed),
    web.get("/v1/kpi", _kpi),
    web.post("/v1/alarms/{alarm}/shelve", _shelve),
    web.post("/v1/alarms/{alarm}/unshelve", _unshelve),
    web.post("/v1/alarms/{alarm}/out-of-service", _take_out),
    web.post("/v1/alarms/{alarm}/in-service", _bring_back),
]
