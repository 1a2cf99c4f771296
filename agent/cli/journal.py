"""``anshao journal …``: the events on disk, read from the file itself; the agent may run or not."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.journal.reading import Reader, reader

app = typer.Typer(help="The events on disk: verify, export, show.", no_args_is_help=True)
FAILED = 1
_DEFAULT = Path("/var/lib/anshao/journal.db")
_COLUMNS = ("journalseq", "lane", "seq", "time", "clock", "type", "subject", "zone", "test", "id", "data", "hash")

JournalFile = Annotated[Path, typer.Argument(help="the journal's file, or the folder that it stands in")]
First = Annotated[int, typer.Option("--from", help="number in the journal to begin with")]
Last = Annotated[int | None, typer.Option("--to", help="number in the journal to end with")]
LaneName = Annotated[str | None, typer.Option("--lane", help="alarm, state, evidence or telemetry")]


class Form(StrEnum):
    """How events are written out."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("verify")
def verify_command(file: JournalFile = _DEFAULT) -> None:
    """Check every checksum and the chain of hashes: what was changed, taken out or put in is named."""
    with _open(file) as journal:
        faults = list(journal.verify())
        there, gone = journal.count()
    for fault in faults:
        print(fault)
    print(
        f"{there} events, {gone} deleted by age or for want of room: {f'{len(faults)} faults' if faults else 'sound'}"
    )
    if faults:
        raise typer.Exit(FAILED)


@app.command()
def export(
    file: JournalFile = _DEFAULT,
    form: Annotated[Form, typer.Option("--format", help="one event a line")] = Form.JSONL,
    first: First = 1,
    last: Last = None,
    lane: LaneName = None,
) -> None:
    """Write events to standard output, oldest first."""
    with _open(file) as journal:
        events = journal.events(first, last, lane)
        _write_csv(events) if form is Form.CSV else _write_lines(events)


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="number in the journal", show_default=False)],
    file: JournalFile = _DEFAULT,
) -> None:
    """Show one event in full."""
    with _open(file) as journal:
        found = next(journal.events(number, number), None)
    if found is None:
        typer.echo(f"there is no event {number}: it was deleted by age, or does not exist yet", err=True)
        raise typer.Exit(FAILED)
    print(json.dumps(found, ensure_ascii=False, indent=2))


def _write_lines(events: Iterable[dict[str, Any]]) -> None:
    for event in events:
        print(json.dumps(event, ensure_ascii=False, separators=(",", ":")))


def _write_csv(events: Iterable[dict[str, Any]]) -> None:
    table = csv.writer(sys.stdout)
    table.writerow(_COLUMNS)
    for event in events:
        row = {**event, "data": json.dumps(event.get("data", event.get("damaged")), ensure_ascii=False)}
        table.writerow([_plain(row.get(column, "")) for column in _COLUMNS])


def _plain(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


_ABSENT = "is it there, and may you read it? Name the file, or its folder, if it is another one"


@contextmanager
def _open(file: Path) -> Iterator[Reader]:
    path = file / "journal.db" if file.is_dir() else file
    try:
        with reader(path) as journal:
            yield journal
    except sqlite3.Error as error:
        hint = str(error) if path.exists() else _ABSENT
        typer.echo(f"{path}: cannot be read as a journal: {hint}", err=True)
        raise typer.Exit(FAILED) from None
