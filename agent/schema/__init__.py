"""What goes up, as types; and from these AsyncAPI with JSON Schema."""

from __future__ import annotations

from agent.schema.asyncapi import asyncapi

__all__ = ["asyncapi"]
