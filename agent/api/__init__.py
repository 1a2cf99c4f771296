"""The local API: what the command line and the operators' page speak."""

from __future__ import annotations

from agent.api.server import serve
from agent.api.view import GatewayView

__all__ = ["GatewayView", "serve"]
