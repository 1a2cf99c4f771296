"""``anshao rules list`` and ``describe``: every alarm of a site in words."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.asking import AsJson
from agent.core.errors import ConfigError

if TYPE_CHECKING:
    from rules.rule import Rule  # pydantic and CEL take their time: not for every command

Site = Annotated[Path, typer.Argument(help="the site file", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_rules)


def list_rules(site: Site, as_json: AsJson = False) -> None:
    """List every alarm: id, priority and when it is raised."""
    rules = load(site)
    if as_json:
        rows = [_row(rule) for rule in rules]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    width = max((len(rule.definition.id) for rule in rules), default=0)
    for rule in rules:
        print(f"{rule.definition.id:<{width}}  {rule.definition.priority.name}  {rule.describe()}")


def load(site: Path) -> tuple[Rule, ...]:
    """Return the rules of a site, or tell its faults and leave with 1."""
    from agent.app.plan import load_plan

    try:
        return load_plan(site).rules
    except ConfigError as error:
        sys.stderr.write(f"{error}\n{len(error.faults)} fault(s)\n")
        raise typer.Exit(1) from error


def _row(rule: Rule) -> dict[str, object]:
    definition = rule.definition
    return {"id": definition.id, "priority": definition.priority.name, "when": rule.describe()}
