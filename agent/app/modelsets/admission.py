"""The way in for a model, always the same: stage, verify, rehearse, keep. What is refused leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from agent.app.modelsets.newest import is_older
from agent.app.modelsets.store import ModelStore
from agent.core.errors import ConfigError
from models.bundle import Bundle
from models.engines import Tried
from models.rehearsal import rehearse


@dataclass(frozen=True)
class Admitted:
    """A bundle that is kept, with the sha256 of its manifest; ``is_new`` when it was not kept before.

    ``tried`` is what rehearsing found that it runs on, of a new one; ``older_than`` the version that worked here
    before, when a new one is older than that.
    """

    bundle: Bundle
    sha256: str
    is_new: bool
    tried: tuple[Tried, ...] = ()
    older_than: str = ""


async def admit(store: ModelStore, model: str, *, older: bool = False) -> Admitted | str:
    """Return the bundle ``model`` (the key of one that is kept, or a folder), or why it is refused.

    One that is not kept must not be older than what has worked here, unless ``older`` says that this is wanted.
    """
    try:
        if model in await asyncio.to_thread(store.keys):
            bundle = await asyncio.to_thread(store.load, model)
            return Admitted(bundle, await asyncio.to_thread(bundle.digest), False)
        return await _new(store, Path(model), older)
    except (ConfigError, ValueError, OSError) as error:
        return str(error)


async def _new(store: ModelStore, source: Path, older: bool) -> Admitted:
    staged = await asyncio.to_thread(store.stage, source)
    newest = await asyncio.to_thread(store.newest.of, staged.manifest.name)
    older_than = newest if is_older(staged.manifest.version, newest) else ""
    try:
        if older_than and not older:
            raise ValueError(_OLDER.format(staged.title, older_than))
        tried = await rehearse(staged.folder)
        if tried.fault:
            raise ValueError(tried.fault)
    except ValueError:
        await asyncio.to_thread(store.discard, staged)
        raise
    bundle = Bundle(await asyncio.to_thread(store.keep, staged), staged.manifest)
    return Admitted(bundle, await asyncio.to_thread(bundle.digest), True, tried.tried, older_than)


_OLDER = "{} is older than {}, which has worked here; roll back, or take it all the same: --older, and --note why"
