"""``anshao rules schema``: what editors complete rule files from."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class _Kind(StrEnum):
    RULES = "rules"
    SCENARIOS = "scenarios"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("schema")(schema)


def schema(
    kind: Annotated[_Kind, typer.Argument(help="of rule files, or of scenario files (*.test.yaml)")] = _Kind.RULES,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="write it here")] = None,
) -> None:
    """Print the JSON Schema; a file that begins with '# yaml-language-server: $schema=FILE' is completed from it."""
    from rules.schema import rule_schema, scenario_schema

    made = rule_schema() if kind is _Kind.RULES else scenario_schema()
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    if output is None:
        print(text, end="")
        return
    output.write_text(text, encoding="utf-8")
    print(f"{output} written; begin a file with: # yaml-language-server: $schema={output}")
