"""The way in for a model, always the same: stage, verify, rehearse, keep. What is refused leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from agent.app.modelsets.store import ModelStore
from agent.core.errors import ConfigError
from models.bundle import Bundle
from models.rehearsal import rehearse


@dataclass(frozen=True)
class Admitted:
    """A bundle that is kept, with the sha256 of its manifest; ``is_new`` when it was not kept before."""

    bundle: Bundle
    sha256: str
    is_new: bool


async def admit(store: ModelStore, model: str) -> Admitted | str:
    """Return the bundle ``model`` (the key of one that is kept, or a folder), or why it is refused."""
    try:
        is_new = model not in await asyncio.to_thread(store.keys)
        bundle = await _new(store, Path(model)) if is_new else await asyncio.to_thread(store.load, model)
        return Admitted(bundle, await asyncio.to_thread(bundle.digest), is_new)
    except (ConfigError, ValueError, OSError) as error:
        return str(error)


async def _new(store: ModelStore, source: Path) -> Bundle:
    staged = await asyncio.to_thread(store.stage, source)
    tried = await rehearse(staged.folder)
    if tried.fault:
        await asyncio.to_thread(store.discard, staged)
        raise ValueError(tried.fault)
    return Bundle(await asyncio.to_thread(store.keep, staged), staged.manifest)
