"""Reads rule files and names every fault in them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.model import PointInfo, Priority
from rules.conditions import CelCondition
from rules.language import KINDS, ConditionOptions, LevelOptions, RuleFile
from rules.rule import Rule, compile_rule

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
        try:
            self.rules.extend(compile_rule(options, self._points))
        except ValueError as error:
            self.faults.append(document.fault((*where, "when"), _cel_words(error)))

    def _options(self, document: Document, where: Where) -> tuple[LevelOptions | ConditionOptions | None, list[Fault]]:
        data = document.at(where)
        if not isinstance(data, dict):
            return None, [document.fault(where, "a rule is a mapping with id, kind, name …")]
        kind = data.get("kind")
        if kind not in KINDS:
            what = "'kind' is missing" if kind is None else f"{kind!r} is not a kind of rule"
            return None, [document.fault((*where, "kind"), f"{what}{suggestion(str(kind), list(KINDS))}")]
        return document.read(KINDS[kind], where)

    def _references(
        self, document: Document, where: Where, options: LevelOptions | ConditionOptions
    ) -> Iterator[Fault]:
        if isinstance(options, LevelOptions):
            yield from self._point(document, (*where, "input"), options.input)
        else:
            for name, point in options.inputs.items():
                yield from self._point(document, (*where, "inputs", name), point)
            yield from _expression(document, where, options)
        for index, output in enumerate(options.outputs or ()):
            if self._known and output not in self._outputs:
                hint = suggestion(output, sorted(self._outputs))
                yield document.fault((*where, "outputs", index), f"there is no output {output!r}{hint}")

    def _mute(self, document: Document, where: Where, options: LevelOptions | ConditionOptions) -> Iterator[Fault]:
        """Find alarms that nobody would hear or see because the rule names the wrong outputs."""
        named = options.outputs
        if named is None or not self._known or not set(named) <= set(self._outputs):
            return
        if isinstance(options, LevelOptions):
            priorities = {limit.priority for limit in options.limits.values()}
        else:
            priorities = {options.priority}
        for priority in sorted(priorities):
            if not self._attracts(priority, named):
                text = f"an alarm of priority {priority.name} drives none of these outputs: nobody would notice it"
                yield document.fault((*where, "outputs"), f"{text}; name others, or leave 'outputs' out")

    def _point(self, document: Document, where: Where, point: str) -> Iterator[Fault]:
        if self._known and point not in self._points:
            near = suggestion(point, list(self._points))
            hint = near if "did you mean" in near else "; declare it under devices in the site file"
            yield document.fault(where, f"there is no point {point!r}{hint}")

    def _duplicate(self, document: Document, where: Where, options: LevelOptions | ConditionOptions) -> Iterator[Fault]:
        here = document.fault((*where, "id"), "")
        first = self._ids.setdefault(options.id, here)
        if first is not here:
            place = f"{first.file}:{first.line}"
            yield document.fault((*where, "id"), f"the id {options.id!r} is used already at {place}; choose another")


def _expression(document: Document, where: Where, options: ConditionOptions) -> Iterator[Fault]:
    try:
        used = CelCondition(options.when, options.inputs).variables
    except ValueError as error:
        yield document.fault((*where, "when"), _cel_words(error))
        return
    for name in sorted(used - set(options.inputs)):
        hint = suggestion(name, list(options.inputs))
        yield document.fault((*where, "when"), f"{name!r} is not declared under inputs{hint}")
    for name in sorted(set(options.inputs) - used):
        yield document.fault((*where, "inputs", name), f"the input {name!r} is not used in 'when'; remove it")


_SYNTAX = re.compile(r"<input>:\d+:(\d+): (?:Syntax error: )?(.*)")


def _cel_words(error: ValueError) -> str:
    """Keep what a person can use of the parser's message: what it met, and where."""
    found = _SYNTAX.search(str(error))
    if found is None:
        return f"not a valid CEL expression: {str(error).splitlines()[0]}"
    what = found[2].split(" expecting ")[0].replace("'<EOF>'", "the end of the text")
    return f"not a valid CEL expression: {what} at character {found[1]}"
