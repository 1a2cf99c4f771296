"""The CEL engine without its own command line, which would cost 20 MB and a quarter of a second at each start."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any


def _load() -> ModuleType:
    """Load the package's compiled engine alone; if it is not where it was, the whole package."""
    package = importlib.util.find_spec("cel")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder) / f"cel{suffix}"
            if path.exists():
                loader = ExtensionFileLoader("cel.cel", str(path))
                spec = importlib.util.spec_from_file_location("cel.cel", path, loader=loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    return importlib.import_module("cel")


_engine = sys.modules.get("cel") or _load()


def compile_expression(text: str) -> Any:
    """Return a program with ``variables()`` and ``execute(dict)``. Raises ValueError with the parser's words."""
    return _engine.compile(text)
