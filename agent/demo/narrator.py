"""Tells on the terminal what happens, as it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

_COLOURS = {1: "bold red", 2: "red", 3: "yellow", 4: "dim yellow"}
_ACTIONS = {"raised": "▲", "cleared": "▼", "returned": "▽", "acknowledged": "✓", "reset": "✓"}
_ECHO_S = 0.4
"""The daemon tells of an event once it is on disk."""
_BEACON = {0: "goes out", 1: "is lit", 2: "flashes"}


class Narrator:
    """Writes lines with the seconds since the start."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._busy = False
        self._start_s = time.monotonic()

    @asynccontextmanager
    async def brief(self) -> AsyncIterator[None]:
        """Leave out what repeats itself, and the echo of it."""
        self._busy = True
        try:
            yield
            await asyncio.sleep(_ECHO_S)
        finally:
            self._busy = False

    def step(self, title: str) -> None:
        """Begin a chapter."""
        self.console.print()
        self.console.print(Rule(f"[bold]{title}[/]", align="left", style="cyan"))

    def say(self, text: str) -> None:
        """Tell something, with rich's markup."""
        self.console.print(
            f"[dim]{time.monotonic() - self._start_s:6.1f} s[/]  {text}", highlight=False, soft_wrap=True
        )

    def verdict(self, ok: bool, text: str) -> None:
        """Tell whether an expectation was met."""
        self.say(f"[green]  ok[/]  [dim]{escape(text)}[/]" if ok else f"[bold red]FAIL[/]  {escape(text)}")

    def plant(self, name: str, message: dict[str, Any]) -> None:
        """Tell what the plant saw: a siren or a lamp that follows."""
        if self._busy:
            return
        if message["event"] == "coil":
            what = "[bold red]sounds[/]" if message["on"] else "falls silent"
            self.say(f"{name}: the [bold]siren[/] {what}")
        elif message["event"] == "beacon":
            colour = message["name"]
            self.say(f"{name}: the [{colour}]{colour} beacon[/] {_BEACON[message['level']]}")

    def event(self, event: dict[str, Any]) -> None:
        """Tell of an event that the daemon journalled."""
        data = event["data"]
        if event["type"] == "anshao.alarm.transition.v1" and data["action"] in _ACTIONS and not self._busy:
            self._alarm(data)
        elif event["type"] == "anshao.device.state.v1":
            state = "answers" if data["online"] else f"is lost: {escape(str(data['reason']))}"
            self.say(f"daemon: {data['device_id']} {state}")

    def _alarm(self, data: dict[str, Any]) -> None:
        colour = _COLOURS[data["priority"]]
        name = data["name"].get("en", data["alarm_id"])
        value = data["value"]
        shown = f" [dim]({value:.1f} {data['unit']})[/]" if isinstance(value, float) and data["unit"] else ""
        by = f" by {data['operator']['name']}" if data["operator"] else ""
        what = f"{_ACTIONS[data['action']]} P{data['priority']} {escape(name)}"
        self.say(f"daemon: [{colour}]{what}[/] {data['action']}{by}{shown}")
