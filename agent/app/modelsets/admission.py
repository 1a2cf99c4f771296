"""The way in for a model, always the same: stage, verify, rehearse, keep. What is refused leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from agent.app.modelsets.store import ModelStore
from agent.core.errors import ConfigError
from models.bundle import Bundle
from models.engines import Tried
from models.rehearsal import Rehearsal, rehearse


@dataclass(frozen=True)
class Admitted:
    """A bundle that is kept, with the sha256 of its manifest; ``is_new`` when it was not kept before.

    ``tried`` is what rehearsing found that it runs on, of a new one.
    """

    bundle: Bundle
    sha256: str
    is_new: bool
    tried: tuple[Tried, ...] = ()


async def admit(store: ModelStore, model: str, sha256: str = "") -> Admitted | str:
    """Return the bundle ``model`` (the key of one that is kept, or a folder), or why it is refused.

    With ``sha256`` it must be the one whose manifest has it: what lies in a folder may have changed.
    """
    try:
        if model in await asyncio.to_thread(store.keys):
            bundle = await asyncio.to_thread(store.load, model)
            digest = await asyncio.to_thread(bundle.digest)
            return _other(digest, sha256) or Admitted(bundle, digest, False)
        bundle, tried = await _new(store, Path(model), sha256)
        return Admitted(bundle, await asyncio.to_thread(bundle.digest), True, tried)
    except (ConfigError, ValueError, OSError) as error:
        return str(error)


async def _new(store: ModelStore, source: Path, sha256: str) -> tuple[Bundle, tuple[Tried, ...]]:
    staged = await asyncio.to_thread(store.stage, source)
    fault = _other(await asyncio.to_thread(staged.digest), sha256)
    tried = await rehearse(staged.folder) if not fault else Rehearsal(fault)
    if tried.fault:
        await asyncio.to_thread(store.discard, staged)
        raise ValueError(tried.fault)
    return Bundle(await asyncio.to_thread(store.keep, staged), staged.manifest), tried.tried


def _other(found: str, sha256: str) -> str:
    return f"the sha256 of its manifest is {found}, and another one was offered" if sha256 not in ("", found) else ""
