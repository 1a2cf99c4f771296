"""Commands from above: who may ask for what, told, journalled, and done once. The way they come by does not matter."""

from __future__ import annotations

from agent.commands.desk import Acting, Desk
from agent.commands.options import CommandOptions
from agent.commands.request import Command

__all__ = ["Acting", "Command", "CommandOptions", "Desk"]
