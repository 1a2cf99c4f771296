"""How every command prints what it found: as JSON for programs, or in words for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from typing import Any, NoReturn, TypeVar

import typer

from agent.cli.asking import REFUSED

T = TypeVar("T")


def as_data(found: object) -> None:
    """Print JSON; dataclasses, also in a list, as objects."""
    print(json.dumps(found, indent=1, ensure_ascii=False, default=_plain))


def tell(found: T, as_json: bool, in_words: Callable[[T], object]) -> None:
    """Print what was found."""
    if as_json:
        as_data(found)
    else:
        in_words(found)


def lines(found: Iterable[str]) -> None:
    """Print each on a line of its own."""
    for line in found:
        print(line)


def finish(done: dict[str, Any], as_json: bool, in_words: Callable[[dict[str, Any]], object]) -> NoReturn:
    """Print what became of a change, and end; with 1 if it was rejected, for the reasons on the error stream."""
    is_rejected = done.get("action") == "rejected"
    if is_rejected and not as_json:
        sys.stderr.write("".join(f"{line}\n" for line in (*done.get("faults", ()), *done.get("lines", ()))))
        sys.stderr.write(f"rejected, nothing was changed: {done['reason']}\n")
    else:
        tell(done, as_json, in_words)
    raise typer.Exit(REFUSED if is_rejected else 0)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} cannot be printed as JSON")
