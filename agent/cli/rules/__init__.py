"""``anshao rules``: test, describe and explain rules; one module for each topic, imported below."""

from __future__ import annotations

import typer

from agent.cli.rules import changing, describing, explaining, schemas, testing

app = typer.Typer(help="Test, describe, explain and change alarm rules.", no_args_is_help=True)
for topic in (testing, schemas, describing, explaining, changing):
    topic.register(app)
