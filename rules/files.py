"""Rule files and what they include, each read once: documents, templates and calendars, with every fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from agent.core.calendars import Calendar
from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from rules.language import RuleFile
from rules.templates import Template, TemplateOptions

LIBRARY = Path(__file__).parent / "library"
_LIBRARY = "library:"
Named = Sequence[tuple[Where, str]]
"""Files that one file names, and where in it."""


@dataclass
class RuleSource:
    """One file: its rules still unread, its own templates, and the files that it includes."""

    document: Document
    rules: int = 0
    asked: int = 0
    templates: dict[str, Template] = field(default_factory=dict)
    includes: list[Path] = field(default_factory=list)


class RuleFiles:
    """Files and what they include, in the order of reading: an included file before the one that includes it."""

    def __init__(self, zone: tzinfo = UTC) -> None:
        self.sources: dict[Path, RuleSource] = {}
        self.faults: list[Fault] = []
        self.calendars: dict[str, Calendar] = {}
        self._zone = zone
        self._calendar_places: dict[str, Fault] = {}
        self._reading: list[Path] = []

    def read(self, path: Path) -> None:
        """Read a file from the disk."""
        try:
            document = Document.load(path)
        except ConfigError as error:
            self.faults.extend(error.faults)
            return
        self.take(document, path)

    def take(self, document: Document, path: Path, data: Any = None, beside: Named = ()) -> None:
        """Read a document that is there already; ``data`` is what of it is a rule file, ``beside`` more includes."""
        key = path.resolve()
        file = self._shape(document, document.data if data is None else data)
        source = RuleSource(document)
        if file is not None:
            self._reading.append(key)
            named = [(("include", index), name) for index, name in enumerate(file.include)]
            source.asked = len(named) + len(beside)
            source.includes = list(self._includes(document, [*named, *beside]))
            self._reading.pop()
            source.rules = len(file.rules)
            source.templates = {name: made for name in file.templates if (made := self._template(document, name))}
            self._calendars(document, file)
            if not (file.rules or file.templates or source.asked or file.calendars):
                self.faults.append(document.fault((), "there are no rules in this file; add 'rules:'"))
        self.sources[key] = source

    def _shape(self, document: Document, data: Any) -> RuleFile | None:
        """Return the outermost shape; where parts of it are wrong, what is left, so that no fault hides another."""
        file, faults = document.read(RuleFile, (), data)
        self.faults.extend(faults)
        if file is not None or not isinstance(data, dict):
            return file
        whole = {key: value for key, value in data.items() if not document.read(RuleFile, (), {key: value})[1]}
        declared = data.get("calendars")
        for name in declared if isinstance(declared, dict) else ():
            self.calendars.setdefault(name, Calendar(name, ()))
        return document.read(RuleFile, (), whole)[0]

    def templates(self, source: RuleSource) -> Mapping[str, Template]:
        """Return the templates that a file may use: its own, and those of what it includes."""
        found: dict[str, Template] = {}
        for path in source.includes:
            if path in self.sources:
                found |= self.templates(self.sources[path])
        return found | source.templates

    def is_whole(self, source: RuleSource) -> bool:
        """Tell whether everything that a file includes could be read."""
        found = [self.sources[path] for path in source.includes if path in self.sources]
        return len(found) == source.asked and all(self.is_whole(each) for each in found)

    def is_broken(self, name: str) -> bool:
        """Tell whether a template of that name stands in one of the files, with faults of its own."""
        named = [each for each in self.sources.values() if name in (each.document.at(("templates",)) or {})]
        return any(name not in each.templates for each in named)

    def _includes(self, document: Document, names: Named) -> Iterator[Path]:
        for where, name in names:
            path, message = _find(Path(document.name).parent, name)
            if path in self._reading:
                chain = [each.name for each in self._reading[self._reading.index(path) :]] + [path.name]
                message = f"{name!r} includes itself: {' → '.join(chain)}; take the templates into a file of their own"
            if message:
                self.faults.append(document.fault(where, message))
                continue
            if path not in self.sources:
                self.read(path)
            yield path

    def _template(self, document: Document, name: str) -> Template | None:
        where: Where = ("templates", name)
        options, faults = document.read(TemplateOptions, where)
        self.faults.extend(faults)
        if options is None:
            return None
        template = Template(name, options, document)
        faults = list(template.faults())
        self.faults.extend(faults)
        return None if faults else template

    def _calendars(self, document: Document, file: RuleFile) -> None:
        for name, windows in file.calendars.items():
            here = document.fault(("calendars", name), "", at_key=True)
            first = self._calendar_places.setdefault(name, here)
            if first is not here:
                text = f"the calendar {name!r} is declared already at {first.file}:{first.line}; remove one"
                self.faults.append(document.fault(("calendars", name), text, at_key=True))
            self.calendars[name] = Calendar(name, windows, self._zone)


def library_names() -> list[str]:
    """Return what ``library:`` may be followed by."""
    return sorted(path.stem for path in LIBRARY.glob("*.yaml") if not path.name.endswith(".test.yaml"))


def library_template(name: str) -> str | None:
    """Return the library file that has a template of that name, None if none has."""
    for file in library_names():
        if name in (Document.load(LIBRARY / f"{file}.yaml").at(("templates",)) or {}):
            return _LIBRARY + file
    return None


def rule_closure(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the files and every file that they include, as far as they can be read."""
    files = RuleFiles()
    for path in paths:
        if path.resolve() not in files.sources:
            files.read(path)
    return tuple(files.sources)


def _find(folder: Path, name: str) -> tuple[Path, str]:
    if name.startswith(_LIBRARY):
        known = library_names()
        short = name.removeprefix(_LIBRARY)
        wrong = f"there is no {name!r} in the rule library{suggestion(short, known)}"
        return (LIBRARY / f"{short}.yaml").resolve(), "" if short in known else wrong
    path = (folder / name).resolve()
    return path, "" if path.is_file() else f"there is no file {name!r} beside this one"
