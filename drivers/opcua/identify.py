"""Ask who answers at an OPC UA port: one connection that asks for the endpoints, and nothing else."""

from __future__ import annotations

from agent.core.errors import NotConnected
from drivers.opcua.client import endpoints_of


async def identify(host: str, port: int, timeout_s: float) -> str | None:
    """Return the server's name and how it can be talked to; None if it is none. Never raises."""
    try:
        offered = await endpoints_of(f"opc.tcp://{host}:{port}", timeout_s)
    except NotConnected:
        return None
    if not offered:
        return "OPC UA, but no endpoints"
    policies = sorted({str(each.SecurityPolicyUri).rpartition("#")[2] for each in offered})
    return f"{offered[0].Server.ApplicationName.Text} ({offered[0].Server.ApplicationUri}): {', '.join(policies)}"
