"""How a plant process talks with the demo: commands in on stdin, events out on stdout, one JSON object a line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any


def tell(event: str, **fields: object) -> None:
    """Report something, with this process's own monotonic time ``t`` in seconds."""
    print(json.dumps({"event": event, "t": time.monotonic(), **fields}), flush=True)


async def commands() -> AsyncIterator[dict[str, Any]]:
    """Yield commands until ``quit`` or until the demo is gone."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        async for line in reader:
            command = json.loads(line)
            if command["cmd"] == "quit":
                return
            yield command
    finally:
        transport.close()
