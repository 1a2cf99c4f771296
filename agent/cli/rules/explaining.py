"""``anshao rules explain`` and ``why-not``: what the running agent makes of an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from agent.cli.asking import AsJson, Socket, telling
from agent.cli.printing import lines, tell
from agent.client import Client

Alarm = Annotated[str, typer.Argument(help="id of the alarm")]
_TITLES = {
    "en": {"rule": "what it does", "now": "how it stands", "inputs": "inputs", "timers": "timers", "removed": "removed",
           "samples": "last samples", "events": "journal", "why_not": "why it calls nobody"},
    "zh": {"rule": "规则", "now": "当前状态", "inputs": "输入", "timers": "计时", "removed": "搁置与抑制",
           "samples": "最近采样", "events": "日志", "why_not": "为何未报警"},
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain")(explain)
    app.command("why-not")(why_not)


def explain(alarm: Alarm, socket: Socket = None, as_json: AsJson = False) -> None:
    """Say what an alarm does, where it stands, and why, with its last samples."""
    _tell(alarm, ("rule", "now", "inputs", "timers", "removed", "samples", "events"), socket, as_json)


def why_not(alarm: Alarm, socket: Socket = None, as_json: AsJson = False) -> None:
    """Say why an alarm is not raised now."""
    _tell(alarm, ("why_not", "samples"), socket, as_json)


def _tell(alarm: str, sections: tuple[str, ...], socket: Any, as_json: bool) -> None:
    with telling():
        client = Client(socket)
        found = client.get(f"alarms/{quote(alarm, safe='')}/explanation")
        language = "en" if as_json else client.get("status")["gateway"]["language"]
        tell(found, as_json, lambda found: lines(_told(alarm, found, sections, language)))


def _told(alarm: str, found: dict[str, Any], sections: tuple[str, ...], language: str) -> Iterator[str]:
    yield f"{alarm}: {_spoken(found['name'], language)}"
    for section in sections:
        said = [f"  {line}" for line in _lines(section, found[section])]
        yield from (f"\n{_TITLES[language][section]}", *said) if said else ()


def _lines(section: str, found: Any) -> Iterator[str]:
    if section == "samples":
        for point, rows in found.items():
            yield f"{point}: {', '.join(map(_sample, rows)) or 'nothing new since the agent looks'}"
    elif section == "events":
        for event in found:
            data = event["data"]
            operator = data.get("operator")
            by = f" by {operator['name']}" if operator else ""
            yield f"{event['time']} {data['action']}{by}, value {data.get('value')}"
    else:
        yield from found


def _sample(row: dict[str, Any]) -> str:
    value = row["value"] if row["value"] is not None else f"unknown ({row['reason'] or 'bad'})"
    value = f"{value:.6g}" if isinstance(value, float) else value
    doubt = f" {row['quality']}" if row["quality"] == "uncertain" else ""
    return f"{value}{doubt} ({row['age_s']:g} s ago)"


def _spoken(text: dict[str, str], language: str) -> str:
    return text.get(language) or text.get("en") or next(iter(text.values()), "")
