"""Files with one mistake each; their first lines say, after ``# expect:``, what must be reported, exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.core.errors import ConfigError

HERE = Path(__file__).parent


def expected(path: Path) -> list[str]:
    """Return the ``line:column: text`` that the file itself announces."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


def found(load: Callable[[], object], path: Path) -> list[str]:
    """Return what ``load`` reports for the file, without folders; nothing when it finds no fault."""
    try:
        load()
    except ConfigError as error:
        texts = [str(fault).replace(f"{path.parent}/", "") for fault in error.faults]
        return [text.removeprefix(f"{path.name}:") for text in texts]
    return []
