"""Reads rule files and names every fault in them at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path

from agent.core.calendars import Calendar
from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.model import PointInfo, Priority
from rules.files import RuleFiles, RuleSource, library_template
from rules.kinds import KINDS
from rules.language import RuleOptions
from rules.rule import Rule
from rules.templates import Template
from rules.uses import UseOptions, expand

Attracts = Callable[[Priority, Sequence[str]], bool]


def load_rules(
    paths: Sequence[Path],
    points: Mapping[str, PointInfo],
    outputs: Collection[str] | None,
    known: bool = True,
    attracts: Attracts = lambda _priority, _outputs: True,
    calendars: Mapping[str, Calendar] | None = None,
    zone: tzinfo = UTC,
) -> tuple[Rule, ...]:
    """Return every rule of every file and of what they include. Raises ConfigError with all faults of all files.

    ``attracts(priority, outputs)`` tells whether an alarm of that priority drives any of these outputs.
    With ``known`` false points, outputs and calendars are not checked: the site file that would declare
    them has faults of its own. With ``outputs`` None any name will do. ``calendars`` are the site's, which
    go before those of the rule files; ``zone`` is the time zone of the latter.
    """
    files = RuleFiles(zone)
    for path in paths:
        if path.resolve() not in files.sources:
            files.read(path)
    return compile_files(files, points, outputs, known, attracts, calendars)


def compile_files(
    files: RuleFiles,
    points: Mapping[str, PointInfo],
    outputs: Collection[str] | None,
    known: bool = True,
    attracts: Attracts = lambda _priority, _outputs: True,
    calendars: Mapping[str, Calendar] | None = None,
) -> tuple[Rule, ...]:
    """Return the rules of files that were read; see ``load_rules``."""
    loader = _Loader(files, points, outputs, known, attracts, {**files.calendars, **(calendars or {})})
    for source in files.sources.values():
        loader.compile(source)
    faults = {*files.faults, *loader.faults}
    if faults:
        raise ConfigError(list(faults))
    return tuple(loader.rules)


class _Loader:
    def __init__(
        self,
        files: RuleFiles,
        points: Mapping[str, PointInfo],
        outputs: Collection[str] | None,
        known: bool,
        attracts: Attracts,
        calendars: Mapping[str, Calendar],
    ) -> None:
        self.rules: list[Rule] = []
        self.faults: list[Fault] = []
        self._files, self._calendars = files, calendars
        self._points, self._outputs, self._known, self._attracts = points, outputs, known, attracts
        self._ids: dict[str, Fault] = {}

    def compile(self, source: RuleSource) -> None:
        """Compile every rule of one file, and go on with the next whatever is in it."""
        templates = self._files.templates(source)
        for index in range(source.rules):
            where: Where = ("rules", index)
            data = source.document.at(where)
            if isinstance(data, dict) and "use" in data:
                self._use(source, where, templates)
            else:
                self._rule(source.document, where)

    def _use(self, source: RuleSource, where: Where, templates: Mapping[str, Template]) -> None:
        document = source.document
        use, faults = document.read(UseOptions, where)
        self.faults.extend(faults)
        if use is None:
            return
        template = templates.get(use.use)
        if template is None:
            self.faults.extend(self._no_template(source, where, use.use, templates))
            return
        for each in expand(template, document, where, use, self._points if self._known else None):
            if isinstance(each, Fault):
                self.faults.append(each)
            else:
                self._rule(*each)

    def _no_template(
        self, source: RuleSource, where: Where, name: str, templates: Mapping[str, Template]
    ) -> Iterator[Fault]:
        if not self._files.is_whole(source) or self._files.is_broken(name):
            return  # what has it has faults of its own
        file = library_template(name)
        near = f"; add 'include: [{file}]'" if file is not None else suggestion(name, list(templates))
        yield source.document.fault(
            (*where, "use"), f"there is no template {name!r}{near or '; include the file that has it'}"
        )

    def _rule(self, document: Document, where: Where) -> None:
        options, faults = self._options(document, where)
        if options is not None:
            checks = (self._references, self._names, self._mute, self._duplicate)
            faults = [fault for check in checks for fault in check(document, where, options)]
        self.faults.extend(faults)
        if options is None or faults or not self._known:
            return
        calendar = self._calendars.get(options.armed)
        self.rules.extend(replace(rule, calendar=calendar) for rule in options.compile(self._points))

    def _options(self, document: Document, where: Where) -> tuple[RuleOptions | None, list[Fault]]:
        data = document.at(where)
        if not isinstance(data, dict):
            return None, [document.fault(where, "a rule is a mapping with id, kind, name …; or use: TEMPLATE")]
        kind = data.get("kind")
        options = KINDS.get(str(kind))
        if options is None:
            what = "'kind' is missing" if kind is None else f"{kind!r} is not a kind of rule"
            return None, [document.fault((*where, "kind"), f"{what}{suggestion(str(kind), list(KINDS))}")]
        return document.read(options, where, data)

    def _references(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        for place, point in options.points():
            yield from self._point(document, (*where, *place), point)
        for place, message in options.faults():
            yield document.fault((*where, *place), message)

    def _names(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        """Find outputs and calendars that do not exist."""
        named: list[tuple[Where, str]] = [
            (("outputs", index), name) for index, name in enumerate(options.outputs or ())
        ]
        for index, step in enumerate(options.escalate):
            named += [(("escalate", index, "outputs", place), name) for place, name in enumerate(step.outputs)]
        for place, output in named:
            if self._known and self._outputs is not None and output not in self._outputs:
                hint = suggestion(output, sorted(self._outputs)) or "; the site has none"
                yield document.fault((*where, *place), f"there is no output {output!r}{hint}")
        for index, camera in enumerate(options.evidence):
            if self._known and f"{camera}.camera_ok" not in self._points:
                cameras = sorted(point[: -len(".camera_ok")] for point in self._points if point.endswith(".camera_ok"))
                hint = suggestion(camera, cameras) or "; the site has none"
                yield document.fault((*where, "evidence", index), f"there is no camera {camera!r}{hint}")
        if self._known and options.armed and options.armed not in self._calendars:
            hint = suggestion(options.armed, list(self._calendars)) or "; declare it under 'calendars'"
            yield document.fault((*where, "armed"), f"there is no calendar {options.armed!r}{hint}")

    def _mute(self, document: Document, where: Where, options: RuleOptions) -> Iterator[Fault]:
        """Find alarms that nobody would hear or see because the rule names the wrong outputs."""
        named = options.outputs
        if named is None or not self._known or self._outputs is None or not set(named) <= set(self._outputs):
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
