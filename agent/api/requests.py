"""What the routes have in common: the view behind them, and the body of what a person asks for."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.api.view import GatewayView
from agent.core.model import FROM_ABOVE, Operator

VIEW: web.AppKey[GatewayView] = web.AppKey("view", object)  # type: ignore[arg-type]
_NOT_HERE = ("button", *FROM_ABOVE)
"""Ways in that have rights of their own; nobody comes by them through this socket."""
M = TypeVar("M", bound=BaseModel)


class Body(BaseModel):
    """Who acts, through what, and why."""

    model_config = ConfigDict(extra="forbid")
    operator: str = Field(min_length=1, max_length=80)
    via: str = Field(default="api", max_length=20)
    note: str = Field(default="", max_length=500)

    @field_validator("via")
    @classmethod
    def _honest(cls, via: str) -> str:
        if via in _NOT_HERE:
            raise ValueError(f"{via!r} is not the way you came; write hmi, cli or api")
        return via

    def who(self) -> Operator:
        """Return the operator."""
        return Operator(self.operator, self.via, self.note)


async def read(request: web.Request, model: type[M]) -> M:
    """Return the body of a request. Raises ValidationError."""
    return model.model_validate_json(await request.read())
