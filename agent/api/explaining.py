"""Why an alarm is raised, and why it is not: ``/v1/alarms/{alarm}/explanation``."""

from __future__ import annotations

from typing import Any, Protocol, TypedDict

from aiohttp import web

from agent.api.requests import VIEW


class SampleRow(TypedDict):
    """One of the last samples of an input; ``age_s`` in seconds."""

    value: Any
    quality: str
    reason: str | None
    age_s: float


class Explanation(TypedDict):
    """Each list is made of lines in words; ``events`` are envelopes, the oldest first."""

    id: str
    name: dict[str, str]
    consequence: dict[str, str]
    response: dict[str, str]
    state: str
    rule: list[str]
    now: list[str]
    inputs: list[str]
    timers: list[str]
    removed: list[str]
    why_not: list[str]
    samples: dict[str, list[SampleRow]]
    events: list[dict[str, Any]]


class ExplainingView(Protocol):
    """Who can explain alarms."""

    async def explain(self, alarm: str) -> Explanation:
        """Explain one alarm. Raises KeyError for an unknown one."""


async def _explanation(request: web.Request) -> web.Response:
    return web.json_response(await request.app[VIEW].explainer.explain(request.match_info["alarm"]))


ROUTES = [web.get("/v1/alarms/{alarm}/explanation", _explanation)]
