"""What is compared: rule files, the rules of a site, or what the journal holds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agent.app.backtest.occurrences import Occurrences
from agent.app.plan import Plan, written_rules
from agent.core.model import AlarmDefinition, Change, PointInfo, Priority
from agent.core.recording import Head
from agent.journal.envelope import alarm_from_json
from rules.loading import load_rules
from rules.rule import Rule


class _Anything(dict[str, PointInfo]):
    """Every point there can be: without a site nobody knows which there are."""

    def __contains__(self, _key: object) -> bool:
        return True

    def __missing__(self, key: str) -> PointInfo:
        return PointInfo(key)


def load(paths: Sequence[Path], head: Head, plan: Plan | None) -> tuple[Rule, ...]:
    """Read rules to try. With a site their points and outputs must be its own. Raises ConfigError with every fault."""
    recorded = {info.id: info for info in head.points}
    if plan is not None:
        return written_rules(plan.site, {**recorded, **plan.points}, paths)
    return load_rules(paths, _Anything(recorded), None)


def points_of(head: Head, plan: Plan | None) -> list[PointInfo]:
    """Return what is known of the points: the site's word counts before that of the recording."""
    known = plan.points if plan is not None else {}
    return [known.get(info.id, info) for info in head.points]


def not_judged(rules: Sequence[Rule], head: Head) -> dict[str, list[str]]:
    """Return the alarms some of whose points are not in the recording, and which."""
    recorded = {info.id for info in head.points}
    found = {rule.definition.id: [point for point in rule.inputs if point not in recorded] for rule in rules}
    return {alarm: points for alarm, points in found.items() if points}


def journalled(path: Path, head: Head, span_s: float, leave_out: Mapping[str, object]) -> Occurrences:
    """Return what was raised while the recording was made. Raises sqlite3.Error, OSError.

    ``leave_out`` are alarms that no rule file has: anshao's own.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "there is no journal", str(path))
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
        events = list(_transitions(db, head.started_at, span_s))
    events = [(now_s, event) for now_s, event in events if event["alarm_id"] not in leave_out]
    found = Occurrences({event["alarm_id"]: _definition(event) for _, event in events})
    for now_s, event in events:
        found.hear([_change(event)], max(now_s, 0.0))
    found.close(span_s)
    found.begin_at(0.0)
    return found


def _transitions(db: sqlite3.Connection, start: datetime, span_s: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield every alarm event up to the end: what was raised before the start may stand in it."""
    end_ns = int((start + timedelta(seconds=span_s)).timestamp() * 1e9)
    query = "SELECT wall_ns, body FROM event WHERE kind = 'alarm.transition' AND wall_ns <= ? ORDER BY seq"
    for wall_ns, body in db.execute(query, (end_ns,)):
        yield wall_ns / 1e9 - start.timestamp(), json.loads(body)["data"]


def _change(event: Mapping[str, Any]) -> Change:
    """Return as much of the alarm as its spans need."""
    state = {"id": event["alarm_id"], "active": event["active"], "process": event["to_state"]}
    if event["to_state"] in ("shelved", "suppressed-by-design", "out-of-service"):
        removal = {"reason": "", "by": "", "via": "", "since": "2000-01-01T00:00:00Z"}
        state |= {"process": "unacknowledged", "shelved": removal}
    return Change(alarm_from_json(json.dumps(state)))


def _definition(event: Mapping[str, Any]) -> AlarmDefinition:
    priority = Priority(event["priority"])
    return AlarmDefinition(event["alarm_id"], event["kind"], priority, event["name"], (), event["condition"])
