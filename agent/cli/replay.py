"""``anshao replay``: rules tried on a recording before they run."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent.app.backtest import sets
from agent.app.backtest.occurrences import Occurrences
from agent.app.backtest.player import Player
from agent.app.backtest.report import Backtest
from agent.app.plan import Plan, load_plan, written_rules
from agent.cli.printing import lines, tell
from agent.core.errors import ConfigError
from agent.core.model import Change
from agent.core.recording import NotARecording, Recording
from rules.engine import Engine
from rules.rule import Rule

JOURNAL, SITE = "journal", "site"
_JOURNAL_TOLERANCE_S = 3.0
"""The agent and the recorder poll at moments of their own."""


def replay(
    path: Path,
    new: Sequence[Path],
    site: Path | None,
    against: Sequence[str],
    as_json: bool,
    fail: bool,
    state: Path | None,
) -> int:
    """Print the comparison. Returns 1 with faults, or with ``fail`` if anything differs."""
    try:
        result = _compare(path, new, site, against, state)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n{len(error.faults)} fault(s)\n")
        return 1
    except (NotARecording, OSError, sqlite3.Error, ValueError) as error:
        sys.stderr.write(f"anshao: {error}\n")
        return 1
    tell(result.plain(), as_json, lambda _: lines(result.lines()))
    return int(fail and result.differs())


def _compare(
    path: Path, new: Sequence[Path], site: Path | None, against: Sequence[str], state: Path | None
) -> Backtest:
    recording = Recording(path)
    plan = load_plan(site, state) if site is not None else None
    names = tuple(against) or ((SITE,) if plan is not None else ())
    if plan is None and names and names[0] in (JOURNAL, SITE):
        raise ValueError(f"--against {names[0]} needs --site")
    rules = sets.load(new, recording.head, plan)
    old = None if not names or names == (JOURNAL,) else _old(names, recording, plan)
    heard = [
        Occurrences({rule.definition.id: rule.definition for rule in each}) for each in (rules, old) if each is not None
    ]
    took_s = _play(recording, [each for each in (rules, old) if each is not None], heard, plan)
    if names == (JOURNAL,) and plan is not None:
        journal = plan.site.gateway.state / "journal.db"
        heard.append(sets.journalled(journal, recording.head, recording.end_s, _own(plan)))
    tolerance_s = _JOURNAL_TOLERANCE_S if names == (JOURNAL,) else 0.001
    before = heard[1] if len(heard) > 1 else None
    lacking = sets.not_judged(rules, recording.head)
    return Backtest(recording.head.started_at, recording.end_s, recording.samples, took_s, heard[0], before, lacking,
                    recording.is_cut, tolerance_s, recording.gaps)  # fmt: skip


def _old(names: Sequence[str], recording: Recording, plan: Plan | None) -> Sequence[Rule]:
    paths = list(plan.site.rules) if plan is not None and names == (SITE,) else [Path(name) for name in names]
    return sets.load(paths, recording.head, plan)


def _play(
    recording: Recording, rules: Sequence[Sequence[Rule]], heard: Sequence[Occurrences], plan: Plan | None
) -> float:
    def hear(number: int, changes: Sequence[Change], now_s: float) -> None:
        heard[number].hear(changes, now_s)

    engines, infos = [Engine(each) for each in rules], sets.points_of(recording.head, plan)
    player = Player(engines, infos, recording.head.started_at, hear)
    started_s = time.perf_counter()
    player.play(recording)
    for each in heard:
        each.close(recording.end_s)
    return time.perf_counter() - started_s


def _own(plan: Plan) -> dict[str, object]:
    """Return anshao's own alarms: no rule file has them."""
    written = {rule.definition.id for rule in written_rules(plan.site, plan.points, plan.site.rules)}
    return {rule.definition.id: rule for rule in plan.rules if rule.definition.id not in written}
