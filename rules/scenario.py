"""Rule tests in YAML: samples over time, and the alarm states that must follow. No clock but the file's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import Fault
from rules.playing import play
from rules.story import Surroundings, load_scenarios


@dataclass(frozen=True)
class Result:
    """One scenario that was played; ``place`` is where it stands, ``failures`` what did not come true."""

    name: str
    place: Fault
    failures: tuple[Fault, ...]


def play_file(path: Path, site: Surroundings | None = None) -> Iterator[Result]:
    """Play every scenario of a file; ``site`` lends its points. Raises ConfigError for a file with faults."""
    for story in load_scenarios(path, site):
        yield Result(story.name, story.fault((), ""), tuple(play(story)))


def run_file(path: Path, site: Surroundings | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield each scenario's name and what did not come true, as ``file:line:column: text``. Raises ConfigError."""
    for result in play_file(path, site):
        yield result.name, [str(fault) for fault in result.failures]
