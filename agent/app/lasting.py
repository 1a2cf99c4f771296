"""What was decided before a restart, in small files that are replaced as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

log = structlog.get_logger(__name__)
T = TypeVar("T")


def read_or(path: Path, adapter: TypeAdapter[T], nothing: T, what: str) -> T:
    """Return what a file holds; ``nothing`` where there is none, or when ``what`` it tells cannot be read."""
    try:
        return adapter.validate_json(path.read_bytes())
    except FileNotFoundError:
        return nothing
    except (OSError, ValidationError) as error:
        log.error(f"{what} cannot be read", reason=str(error).splitlines()[0])
        return nothing
