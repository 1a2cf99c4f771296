"""``/v1/rules``: which rules run, another set pushed, one step back. A refusal is an answer, with every fault in it."""

from __future__ import annotations

from typing import Any, Protocol, TypedDict

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from agent.core.model import Operator

MOST_BYTES = 8_000_000
"""Of a set that is pushed, as JSON."""


class RejectedRow(TypedDict):
    """A set that must not run, and why."""

    revision: str
    reason: str
    faults: list[str]


class RulesRow(TypedDict):
    """``in_step``: what the files on disk say is what runs. ``disk`` is the revision of the files."""

    revision: str
    in_step: bool
    disk: str
    rejected: RejectedRow | None


class RulesView(Protocol):
    """The rule sets as the API sees them; ``Outcome.plain`` of ``agent.app.rulesets`` has the form of the answers."""

    def row(self) -> RulesRow:
        """Return what runs."""

    async def push(
        self, rules: list[str], files: dict[str, str], operator: Operator, force: bool, rehearse: bool
    ) -> dict[str, Any]:
        """Let a set run, or with ``rehearse`` tell what it would change. Raises ValueError for names that are none."""

    async def rollback(self, operator: Operator, force: bool) -> dict[str, Any]:
        """Go one step back."""

    async def history(self) -> dict[str, Any]:
        """Return what was decided up to now, the oldest first."""

    async def difference(self, revision: str) -> dict[str, Any]:
        """Compare what runs with a set that was kept. Raises KeyError."""


RULES: web.AppKey[RulesView] = web.AppKey("rules", object)  # type: ignore[arg-type]


class _Rollback(BaseModel):
    model_config = ConfigDict(extra="forbid")
    operator: str = Field(min_length=1, max_length=80)
    via: str = Field(default="api", max_length=20)
    note: str = Field(default="", max_length=500)
    force: bool = False

    def who(self) -> Operator:
        return Operator(self.operator, self.via, self.note)


class _Push(_Rollback):
    rules: list[str] = Field(min_length=1)
    files: dict[str, str]
    rehearse: bool = False


async def _show(request: web.Request) -> web.Response:
    return web.json_response(request.app[RULES].row())


async def _history(request: web.Request) -> web.Response:
    return web.json_response(await request.app[RULES].history())


async def _difference(request: web.Request) -> web.Response:
    return web.json_response(await request.app[RULES].difference(request.match_info["revision"]))


async def _push(request: web.Request) -> web.Response:
    body = _Push.model_validate_json(await request.clone(client_max_size=MOST_BYTES).read())
    try:
        done = await request.app[RULES].push(body.rules, body.files, body.who(), body.force, body.rehearse)
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.json_response(done)


async def _rollback(request: web.Request) -> web.Response:
    body = _Rollback.model_validate_json(await request.read())
    return web.json_response(await request.app[RULES].rollback(body.who(), body.force))


ROUTES = [
    web.get("/v1/rules", _show),
    web.get("/v1/rules/history", _history),
    web.get("/v1/rules/difference/{revision}", _difference),
    web.post("/v1/rules/push", _push),
    web.post("/v1/rules/rollback", _rollback),
]
