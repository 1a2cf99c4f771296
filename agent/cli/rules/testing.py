"""``anshao rules test``: play the scenarios that stand beside rule files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.asking import AsJson
from agent.cli.printing import tell
from agent.core.errors import ConfigError, Fault

if TYPE_CHECKING:
    from rules.scenario import Result
    from rules.story import Surroundings

_ENDING = ".test.yaml"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("test")(test_rules)


@dataclass
class _Report:
    results: list[tuple[Path, Result]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    untested: list[Path] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(bool(result.failures) for _, result in self.results)

    @property
    def is_good(self) -> bool:
        return bool(self.results) and not self.failed and not self.faults


def test_rules(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="scenario files, rule files or a site file; without any, every *.test.yaml below here"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play rule scenarios in virtual time; exit with 1 when one fails."""
    report = _Report()
    for path in files or sorted(Path().rglob(f"*{_ENDING}")):
        try:
            _run(path, report)
        except ConfigError as error:
            report.faults.extend(error.faults)
    tell(_as_data(report), as_json, lambda _: _print(report))
    raise typer.Exit(0 if report.is_good else 1)


def _run(path: Path, report: _Report) -> None:
    from agent.core.document import Document

    if path.name.endswith(_ENDING):
        return _play([path], None, report)
    data = Document.load(path).data
    if isinstance(data, dict) and "gateway" in data:
        return _run_site(path, report)
    return _play(_beside([path], report), None, report)


def _run_site(path: Path, report: _Report) -> None:
    from agent.app.plan import load_plan
    from rules.files import LIBRARY, rule_closure

    plan = load_plan(path)
    own = [file for file in rule_closure(plan.site.rules) if file.parent != LIBRARY.resolve()]
    _play(_beside(own, report), plan.surroundings(), report)


def _beside(files: Sequence[Path], report: _Report) -> Iterator[Path]:
    for file in files:
        test = file.with_name(file.stem + _ENDING)
        if test.is_file():
            yield test
        else:
            report.untested.append(file)


def _play(tests: Iterator[Path] | Sequence[Path], site: Surroundings | None, report: _Report) -> None:
    from rules.scenario import play_file

    for test in tests:
        try:
            report.results.extend((test, result) for result in play_file(test, site))
        except ConfigError as error:
            report.faults.extend(error.faults)


def _print(report: _Report) -> None:
    for path, result in report.results:
        mark = "FAIL" if result.failures else "ok  "
        print(f"{mark}  {path}:{result.place.line}: {result.name}")
        for failure in result.failures:
            print(f"        {failure}")
    for fault in sorted(set(report.faults)):
        sys.stderr.write(f"{fault}\n")
    for path in report.untested:
        print(f"none  {path} has no scenarios; write them into {path.stem}{_ENDING}")
    faults = f", {len(set(report.faults))} fault(s) in files" if report.faults else ""
    print(f"{len(report.results)} scenario(s), {report.failed} failed{faults}")


def _as_data(report: _Report) -> dict[str, Any]:
    scenarios = [
        {
            "file": str(path),
            "line": result.place.line,
            "name": result.name,
            "passed": not result.failures,
            "failures": [asdict(failure) for failure in result.failures],
        }
        for path, result in report.results
    ]
    return {
        "passed": report.is_good,
        "scenarios": scenarios,
        "failed": report.failed,
        "faults": [asdict(fault) for fault in sorted(set(report.faults))],
        "untested": [str(path) for path in report.untested],
    }
