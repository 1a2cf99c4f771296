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


async def admit(
    store: ModelStore, model: str, *, sha256: str = "", older: bool = False, offered: bool = False
) -> Admitted | str:
    """Return the bundle ``model`` (the key of one that is kept, or a folder), or why it is refused.

    With ``sha256`` it must be the one whose manifest has it: what lies in a folder may have changed. It must not be
    older than what has worked here, unless ``older`` says that this is wanted, or it is kept and somebody here names
    it: to go back. ``offered`` is what comes from above.
    """
    try:
        if model in await asyncio.to_thread(store.keys):
            bundle = await asyncio.to_thread(store.load, model)
            if offered:
                await _older_than(store, bundle, older)
            digest = await asyncio.to_thread(bundle.digest)
            return _other(digest, sha256) or Admitted(bundle, digest, False)
        return await _new(store, Path(model), sha256, older)
    except (ConfigError, ValueError, OSError) as error:
        return str(error)


async def _new(store: ModelStore, source: Path, sha256: str, older: bool) -> Admitted:
    staged = await asyncio.to_thread(store.stage, source)
    try:
        if fault := _other(await asyncio.to_thread(staged.digest), sha256):
            raise ValueError(fault)
        older_than = await _older_than(store, staged, older)
        tried = await rehearse(staged.folder)
        if tried.fault:
            raise ValueError(tried.fault)
    except ValueError:
        await asyncio.to_thread(store.discard, staged)
        raise
    bundle = Bundle(await asyncio.to_thread(store.keep, staged), staged.manifest)
    return Admitted(bundle, await asyncio.to_thread(bundle.digest), True, tried.tried, older_than)


def _other(found: str, sha256: str) -> str:
    return f"the sha256 of its manifest is {found}, and another one was offered" if sha256 not in ("", found) else ""


async def _older_than(store: ModelStore, bundle: Bundle, older: bool) -> str:
    """Return the newer version that has worked here, nothing without one. Raises ValueError unless ``older``."""
    newest = await asyncio.to_thread(store.newest.of, bundle.manifest.name)
    if not is_older(bundle.manifest.version, newest):
        return ""
    if not older:
        raise ValueError(_OLDER.format(bundle.title, newest))
    return newest


_OLDER = "{} is older than {}, which has worked here; roll back, or take it all the same: --older, and --note why"
