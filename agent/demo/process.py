"""The demo's children: started on a leash, spoken to in lines of JSON, stopped by their own pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Hear = Callable[[str, dict[str, Any]], None]
"""Called with the child's name and each message that it sends."""


class DemoError(Exception):
    """The demo cannot go on; the text says why, and what to do."""


def free_port() -> int:
    """Return a TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One process. Its stderr goes to ``log``; what it prints, line by line as JSON, goes to ``hear``."""

    def __init__(self, name: str, command: Sequence[str], log: Path, hear: Hear | None = None) -> None:
        self.name = name
        self._command = list(command)
        self._log = log
        self._hear = hear
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopped = False

    @property
    def pid(self) -> int:
        """The process id. Raises DemoError when it was never started."""
        if self._process is None:
            raise DemoError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self, env: Mapping[str, str] | None = None, on_death: int = signal.SIGKILL) -> None:
        """Start it; the kernel sends it ``on_death`` when the demo ends."""
        leash = [sys.executable, "-m", "agent.demo.leash", str(int(on_death)), str(os.getpid())]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *leash,
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if self._hear else log,
                stderr=log,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C is for the demo, which then ends its children in order
            )
        self._ready.clear()
        self._stopped = False
        if self._hear:
            self._reader = asyncio.create_task(self._listen(self._process), name=f"hear {self.name}")

    async def until_ready(self, limit_s: float = 20.0) -> None:
        """Wait for its ``ready`` message. Raises DemoError with its last words when it does not come."""
        try:
            async with asyncio.timeout(limit_s):
                await self._ready.wait()
        except TimeoutError as error:
            raise DemoError(f"{self.name} did not start within {limit_s:g} s:\n{self.last_words()}") from error
        if not self.alive:
            raise DemoError(f"{self.name} ended at once:\n{self.last_words()}")

    def send(self, cmd: str, **fields: object) -> None:
        """Send a command; a child that is gone does not hear it."""
        if self._process is not None and self._process.stdin is not None and self.alive:
            self._process.stdin.write(json.dumps({"cmd": cmd, **fields}).encode() + b"\n")

    def freeze(self) -> None:
        """Stop it in its tracks: its connections stay open, nobody answers."""
        self._signal(signal.SIGSTOP)
        self._stopped = True

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)
        self._stopped = False

    async def stop(self, limit_s: float = 10.0) -> None:
        """End it with SIGTERM, and with SIGKILL if that does not help in time."""
        if self._process is None:
            return
        if self._stopped:
            self.thaw()
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit_s):
                await self._process.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._reader is not None:
            await self._reader

    def last_words(self) -> str:
        """Return the last lines of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-15:])

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert self._hear is not None
        async for line in process.stdout:
            message = json.loads(line)
            if message.get("event") == "ready":
                self._ready.set()
            self._hear(self.name, message)
        await process.wait()
        self._ready.set()


async def wait_for_port(port: int, limit_s: float, what: str) -> None:
    """Wait until something accepts on loopback. Raises DemoError."""
    try:
        async with asyncio.timeout(limit_s):
            while not await _accepts(port):
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        raise DemoError(f"{what} does not accept connections on 127.0.0.1:{port} after {limit_s:g} s") from error


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
