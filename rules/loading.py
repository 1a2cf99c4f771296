"""Reads rule files and names every fault in them at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.model import PointInfo, Priority
from rules.kinds import KINDS
from rules.language import RuleFile, RuleOptions
from rules.rule import Rule

Attracts = Callable[[Priority, Sequence[str]], bool]


def load_rules(
    paths: Sequence[Path],
    points: Mapping[str, PointInfo],
    outputs: Collection[str],
    known: bool = True,
    attracts: Attracts = lambda _priority, _outputs: True,
) -> tuple[Rule, ...]:
    """Return every rule of every file. Raises ConfigError with all faults of all files.

    ``attracts(priority, outputs)`` tells whether an alarm of that priority drives any of these outputs.
    With ``known`` false the points and outputs are not checked: the site file that would declare
    them has faults of its own.
    """
    loader = _Loader(points, outputs, known, attracts)
    for path in paths:
        loader.read(path)
    if loader.faults:
        raise ConfigError(loader.faults)
    return tuple(loader.rules)


class _Loader:
    def __init__(
        self, points: Mapping[str, PointInfo], outputs: Collection[str], known: bool, attracts: Attracts
    ) -> None:
        self.rules: list[Rule] = []
        self.faults: list[Fault] = []
        self._points, self._outputs, self._known, self._attracts = points, outputs, known, attracts
        self._ids: dict[str, Fault] = {}

    def read(self, path: Path) -> None:
        """Read one file, and go on with the next whatever is in it."""
        try:
            document = Document.load(path)
        except ConfigError as error:
            self.faults.extend(error.faults)
            return
        file, faults = document.read(RuleFile)
        self.faults.extend(faults)
        for index, _ in enumerate(file.rules if file else ()):
            self._rule(document, ("rules", index))

    def _rule(self, document: Document, where: Where) -> None:
        options, faults = self._options(document, where)
        if options is not None:
            checks = (self._references, self._mute, self._duplicate)
            faults = [fault for check in checks for fault in check(document, where, options)]
        self.faults.extend(faults)
        if options is None or faults or not self._known:
            return
        self.rules.extend(options.compile(self._points))

    def _options(self, document: Document, where: Where) -> tuple[RuleOptions | None, list[Fault]]:
        data = document.at(where)
        if not isinstance(data, dict):
            return None, [document.fault(where, "a rule is a mapping with id, kind, name …")]
        kind = data.get("kind")
        options = KINDS.get(str(kind))
        if options is None:
            what = "'kind' is missing" if kind is None else f"{kind!r} is not a kind of rule"
            return None, [document.fault((*where, "kind"), f"{what}{suggestion(str(kind), list(KINDS))}")]
        return document.read(options, where)

    def _references(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        for place, point in options.points():
            yield from self._point(document, (*where, *place), point)
        for place, message in options.faults():
            yield document.fault((*where, *place), message)
        for index, output in enumerate(options.outputs or ()):
            if self._known and output not in self._outputs:
                hint = suggestion(output, sorted(self._outputs))
                yield document.fault((*where, "outputs", index), f"there is no output {output!r}{hint}")

    def _mute(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        """Find alarms that nobody would hear or see because the rule names the wrong outputs."""
        named = options.outputs
        if named is None or not self._known or not set(named) <= set(self._outputs):
            return
        for priority in sorted({priority for _, priority in options.priorities()}):
            if not self._attracts(priority, named):
                text = f"an alarm of priority {priority.name} drives none of these outputs: nobody would notice it"
                yield document.fault((*where, "outputs"), f"{text}; name others, or leave 'outputs' out")

    def _point(self, document: Document, where: Where, point: str) -> Iterator[Fault]:
        if self._known and point not in self._points:
            near = suggestion(point, list(self._points))
            hint = near if "did you mean" in near else "; declare it under devices in the site file"
            yield document.fault(where, f"there is no point {point!r}{hint}")

    def _duplicate(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        here = document.fault((*where, "id"), "")
        first = self._ids.setdefault(options.id, here)
        if first is not here:
            place = f"{first.file}:{first.line}"
            yield document.fault((*where, "id"), f"the id {options.id!r} is used already at {place}; choose another")
