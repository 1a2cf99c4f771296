"""Opens a network with the engine that was chosen for it, and with no other. Worker and short processes only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort

from models.engines import SAFE as SAFE
from models.engines import Engine as Engine
from models.providers import NAMES, Provider, chain, offered

Session = Any


class NotOpened(RuntimeError):  # noqa: N818 - a state: another engine may still take it
    """A provider does not take the network: its driver is missing or broken, or it is not offered at all."""


def open_session(path: str, provider: Provider = Provider.CPU, cache: Path | None = None) -> Session:
    """Load a network for one quiet thread: spinning threads cost half a core and gain nothing at camera pace.

    Raises NotOpened: the runtime would go on with another provider without a word.
    """
    here = offered(ort.get_available_providers())
    if provider not in here:
        raise NotOpened(f"the runtime does not offer {provider}, only {', '.join(here)}")
    if cache is not None and provider is not Provider.CPU:
        (cache / provider).mkdir(parents=True, exist_ok=True)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = chain(provider, cache)
    names = [name for name, _ in wanted if name in ort.get_available_providers()]
    told = [settings for name, settings in wanted if name in names]
    session = ort.InferenceSession(path, options, providers=names, provider_options=told)
    if session.get_providers()[0] != NAMES[provider]:
        raise NotOpened(f"{provider} did not take {Path(path).name}; its driver is missing, too old or broken")
    session.disable_fallback()
    return session
