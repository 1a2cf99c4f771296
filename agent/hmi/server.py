"""Serves the page. Everything that a browser needs comes from this process: nothing from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import Response
from nicegui import app, ui

from agent.hmi.page import Page
from agent.hmi.source import Source


def run(socket: Path, host: str, port: int) -> None:
    """Serve until stopped."""
    source = Source(socket)
    tasks: list[asyncio.Task[None]] = []

    @ui.page("/", title="anshao 安哨")
    def page() -> None:
        Page(source)

    @app.get("/picture/{camera}")
    async def picture(camera: str) -> Response:
        found = await source.picture(camera)
        headers = {"Cache-Control": "no-store"}
        return Response(found or b"", 200 if found else 503, headers, "image/jpeg")

    @app.get("/evidence/{occurrence}")
    async def evidence(occurrence: str) -> Response:
        found = await source.evidence(occurrence)
        return Response(found or b"", 200 if found else 404, {"Cache-Control": "no-store"}, "image/jpeg")

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        return {"ok": True}

    app.on_startup(lambda: tasks.append(asyncio.create_task(source.run(), name="poll the agent")))
    ui.run(host=host, port=port, title="anshao 安哨", dark=True, reload=False, show=False, show_welcome_message=False)
