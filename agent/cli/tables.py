"""What the agent tells, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from agent.core.durations import format_duration

_PRIORITY = {"P1": "bold white on red", "P2": "bold red", "P3": "bold yellow", "P4": "yellow"}
_GOOD, _BAD = "green", "bold red"
_NEVER_CUT = 24
"""So many characters of an id or a state stand on one line in the narrowest terminal; longer ones are folded."""


def show(what: Any) -> None:
    """Print a table; as wide as the terminal, or as it needs where there is none."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    console.print(what)


def status(found: dict[str, Any], _language: str) -> Group:
    """Draw the whole at a glance."""
    gateway, alarms, journal = found["gateway"], found["alarms"], found["journal"]
    head = Text(f"{gateway['id']}  {gateway['site']}/{gateway['area']}  anshao {gateway['version']}  ", style="bold")
    head.append(f"up {age(found['uptime_s'])}", style="dim")
    counts = ", ".join(f"{name} {count}" for name, count in alarms["by_priority"].items() if count) or "none"
    pending = sum(journal["pending"].values())
    lines = Table.grid(padding=(0, 2))
    style = _BAD if alarms["active"] else _GOOD
    lines.add_row("alarms", Text(f"active: {counts}; {alarms['unacknowledged']} unacknowledged", style=style))
    state = (
        f"failing: {journal['failed']}"
        if journal["failed"]
        else f"{journal['events']} events, {pending} to send{_room(journal)}"
    )
    lines.add_row("journal", Text(state, style=_BAD if journal["failed"] else _GOOD))
    lines.add_row("uplink", _uplink(found["uplink"]))
    if found["sparkplug"] is not None:
        lines.add_row("sparkplug", _uplink(found["sparkplug"]))
    lines.add_row("rules", _rules(found["rules"]))
    return Group(head, lines, _devices(found["devices"] + found["cameras"]), _outputs(found["outputs"]))


def _room(journal: dict[str, Any]) -> str:
    hours = journal["autonomy_h"]
    return f", room for {hours:.0f} h" if hours < 24 * 30 else ""


def _rules(rules: dict[str, Any]) -> Text:
    refused = rules["rejected"]
    if refused is not None:
        first = f": {refused['faults'][0]}" if refused["faults"] else ""
        return Text(
            f"{rules['revision']}; the files ({refused['revision']}) are rejected, {refused['reason']}{first}", _BAD
        )
    if not rules["in_step"]:
        return Text(f"{rules['revision']}; the files on disk are others ({rules['disk']})", "yellow")
    return Text(rules["revision"], _GOOD)


def points(found: list[dict[str, Any]], _language: str) -> Table:
    """Draw live points."""
    table = Table("point", "value", "unit", "quality", "age", "zone", "reason", box=None, header_style="dim")
    for row in found:
        style = {"good": "", "uncertain": "yellow"}.get(row["quality"], "dim red")
        old = "" if row["age_s"] is None else age(row["age_s"])
        cells = (row["id"], value(row["value"]), row["unit"], row["quality"], old, row["zone"], row["reason"] or "")
        table.add_row(*cells, style=style)
    return table


def keep_whole(table: Table, column: int, texts: Sequence[str]) -> None:
    """Let 80 columns cut no id, which could not be acknowledged, and no state, which would look like another."""
    table.columns[column].overflow = "fold"
    table.columns[column].min_width = min(max(map(len, texts)), _NEVER_CUT)


def alarms(found: list[dict[str, Any]], language: str) -> Table | Text:
    """Draw alarms, most urgent first."""
    if not found:
        return Text("no alarms", style=_GOOD)
    table = Table("", "alarm", "state", "value", "since", "by", box=None, header_style="dim")
    keep_whole(table, 1, [row["id"] for row in found])
    keep_whole(table, 2, [row["state"] for row in found])
    for row in found:
        response = in_language(row["response"], language)
        table.add_row(
            Text(row["priority"], style=_PRIORITY[row["priority"]]),
            "\n".join(filter(None, (row["id"], in_language(row["name"], language), response and f"→ {response}"))),
            "\n".join((row["state"], *flags_of(row))),
            f"{value(row['value'])} {row['unit']}",
            _since(row["raised_at"]),
            row["acknowledged_by"],
        )
    return table


def flags_of(row: dict[str, Any]) -> list[str]:
    """Return what is special about an alarm, in words."""
    words = {"silenced": "silenced", "first_out": "FIRST OUT", "chattering": "chatters", "muted": "in the flood"}
    found = [word for flag, word in words.items() if row[flag]]
    found += [f"degraded: {'; '.join(row['unknown'])}"] if row["degraded"] else []
    found += [_hazard(row["hazard"])] if row["hazard"] else []
    step = row["escalation"]
    return found + ([f"escalated to {step['post']}, {step['step']} of {step['of']}"] if step and step["step"] else [])


def _hazard(told: dict[str, Any]) -> str:
    """Return how far the centre is with a hazard; its words must not command the terminal."""
    words = [f"hazard {told['hazard']}: {told['status'].replace('_', ' ')}", told["reason"]]
    words += ["major" if told["level"] == "major" else "", "supervised" if told["supervised"] else ""]
    words += [told["responsible"], f"until {told['deadline']}" if told["deadline"] else ""]
    words += ["RECURS" if told["recurs"] else ""]
    return value(", ".join(filter(None, words)))


def event(found: dict[str, Any]) -> str:
    """Return one line for an event."""
    data = found["data"]
    moment = datetime.fromisoformat(found["time"]).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    words = [
        str(data[key])
        for key in ("action", "step", "to_state", "wanted", "online", "value", "reason", "zone", "raised")
        if _tells(data, key)
    ]
    test = " [test]" if found["test"] else ""
    kind = found["type"].removeprefix("anshao.").removesuffix(".v1")
    return f"{moment}  {found['lane']}/{found['seq']:<6} {kind:<17} {found['subject']:<24} {' '.join(words)}{test}"


def value(raw: object) -> str:
    """Return a value as people read it; what a device sends must not command the terminal."""
    if raw is None:
        return "–"
    text = f"{raw:.6g}" if isinstance(raw, float) else str(raw)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _tells(data: dict[str, Any], key: str) -> bool:
    return data.get(key) not in (None, "")


def _devices(rows: list[dict[str, Any]]) -> Table:
    table = Table("device", "protocol", "state", "since", "points", "bad", "reason", box=None, header_style="dim")
    for row in rows:
        state = Text(row["state"], style=_GOOD if row["state"] == "online" else _BAD)
        since, points_ = _since(row["since"]), str(row["points"])
        reason = row["reason"] or Text(short_of(row), "yellow")
        table.add_row(row["id"], row["protocol"], state, since, points_, str(row["bad_points"] or ""), reason)
    return table


def short_of(camera: dict[str, Any]) -> str:
    """Say how much less often than asked a camera is looked at, nothing where it is not."""
    asked, granted = camera.get("fps_asked"), camera.get("fps_granted")
    if asked is None or granted is None or granted >= asked:
        return ""
    return f"granted {granted:.3g} of {asked:g} pictures a second" if granted else "paused: the budget is too small"


def _outputs(rows: list[dict[str, Any]]) -> Table:
    table = Table("output", "kind", "wanted", "seen", "confirmed", "reason", box=None, header_style="dim")
    for row in rows:
        old = "never" if row["confirmed_age_s"] is None else f"{age(row['confirmed_age_s'])} ago"
        style = _GOOD if row["confirmed"] else _BAD
        seen = row["seen"] or "–"
        table.add_row(row["id"], row["kind"], row["wanted"], seen, Text(old, style=style), row["reason"])
    return table


def cameras(rows: list[dict[str, Any]]) -> Table:
    """Draw cameras with what is wrong with their pictures."""
    table = Table(
        *("camera", "ok", "fps", "granted", "asked"),
        *("received", "replaced", "inferred", "gated", "skipped", "faults", "why"),
        box=None,
    )
    keys = ("fps", "fps_granted", "fps_asked", "received", "replaced", "inferred", "gated", "skipped")
    for row in rows:
        numbers = [value(row.get(key)) for key in keys]
        style = "" if row["ok"] and not row["faults"] else _BAD if not row["ok"] else "yellow"
        table.add_row(row["id"], value(row["ok"]), *numbers, " ".join(row["faults"]), row["reason"], style=style)
    return table


def coverage(rows: list[dict[str, Any]]) -> Table | Text:
    """Draw the minutes that were watched."""
    if not rows:
        return Text("no rule of this site reads a camera, or no minute is over yet")
    table = Table("shift", "crew", "since", "rule", "watched", "of", box=None, header_style="dim")
    for row in rows:
        begin = datetime.fromisoformat(row["since"]).astimezone().strftime("%m-%d %H:%M")
        share = f"{row['watched']} min ({row['watched'] / row['minutes']:.0%})"
        style = "" if row["watched"] == row["minutes"] else "yellow"
        table.add_row(row["shift"] or "day", row["crew"], begin, row["rule"], share, f"{row['minutes']}", style=style)
    return table


def _uplink(row: dict[str, Any] | None) -> Text:
    if row is None:
        return Text("none", style="dim")
    where = row["broker"] if row.get("preferred", True) else f"{row['broker']} (not the first of the list)"
    words = f"{row['state']} {where} since {_since(row['since'])}, {row['sent']} sent. {row['reason']}"
    return Text(words, style=_GOOD if row["state"] == "online" and not row["reason"] else _BAD)


def age(seconds: float) -> str:
    """Return a duration as people say it."""
    return f"{seconds:.1f}s" if seconds < 10 else format_duration(_rounded(seconds))


def _rounded(seconds: float) -> float:
    step = 1 if seconds < 120 else 60 if seconds < 7200 else 3600
    return seconds // step * step


def _since(moment: str | None) -> str:
    if not moment:
        return ""
    return f"{age(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()))} ago"


def in_language(texts: dict[str, str], language: str) -> str:
    """Return the text in the wanted language, or in the one that there is."""
    return texts.get(language) or next(iter(texts.values()), "")
