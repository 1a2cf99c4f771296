"""Uses of templates: ``use: NAME`` with parameters, once or for each row of a table."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field

from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.options import Options
from rules.parameters import ParameterOptions, read_cell, read_value
from rules.templates import Filled, Template, place

_SHOWN = 6
"""Parameters that a fault names."""


class TableOptions(Options):
    """A CSV file beside the rule file: its first line names the parameters, an empty cell is not given."""

    file: str


def _rows(value: object) -> object:
    if isinstance(value, list) and not value:
        raise ValueError("the table is empty, so there would be no alarm at all; give at least one row")
    return value


class UseOptions(Options):
    """One use of a template, or one for each row of a table."""

    use: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="parameters by name")
    for_each: Annotated[list[dict[str, Any]] | TableOptions | None, BeforeValidator(_rows)] = Field(
        default=None, description="rows of parameters, which go before 'with'"
    )


class Expansion(Document):
    """A rule of a template with its parameters filled in; its faults name the template and the use."""

    def __init__(self, template: Template, data: Any, root: Where, filled: Filled, given: Given) -> None:
        self.name, self.context = template.document.name, template.document.context
        self._places, self._keys = template.document._places, template.document._keys
        self.data, self._root = data, root
        self._template, self._filled, self._given = template, filled, given

    def at(self, where: Where) -> Any:
        """Return the filled-in data at ``where``, a place in the template's file."""
        data = self.data
        for step in where[len(self._root) :]:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def fault(self, where: Where, message: str, *, at_key: bool = False) -> Fault:
        """Return a fault at the parameter that is to blame, else at the template; it names both places."""
        here = super().fault(where, message, at_key=at_key)
        blamed = None if at_key else self._blamed(where)
        if blamed is None:
            used = f"in template {self._template.name!r}, used at {self._given.place()} with {self._given.words()}"
            return Fault(*_at(here), f"{message} ({self._template.first_use.setdefault(here, used)})")
        name, rest = blamed
        told = f"parameter {name!r} of template {self._template.name!r}, {place(here)}" if message else ""
        return Fault(*_at(self._given.fault(name, rest)), f"{message} ({told})")

    def _blamed(self, where: Where) -> tuple[str, Where] | None:
        """Return the parameter that stands at ``where`` or around it; or beneath it, below the rule itself."""
        origins = self._filled.origins
        for length in range(len(where), len(self._root), -1):
            if where[:length] in origins:
                return self._given.first(origins[where[:length]], where[length:])
        if len(where) > len(self._root):
            beneath = [name for place_, names in origins.items() if place_[: len(where)] == where for name in names]
            return self._given.first(beneath, ())
        return None


class Given:
    """The parameters of one use: what each of them is, and where it was given."""

    def __init__(self, template: Template, sources: list[tuple[Document, Where, Mapping[str, Any]]]) -> None:
        """Take ``sources`` in the order in which they count, the last first."""
        self.values: dict[str, Any] = {}
        self._template, self._sources = template, sources

    def place(self) -> str:
        """Return ``file:line:column`` of the use."""
        document, where, _ = self._sources[0]
        return place(document.fault(where, ""))

    def words(self) -> str:
        """Return ``tank: tk101, high: 90``."""
        shown = {name: value for _, _, data in reversed(self._sources) for name, value in data.items()}
        words = [f"{name}: {value}" for name, value in list(shown.items())[:_SHOWN]]
        return ", ".join([*words, "…"][: _SHOWN + 1] if len(shown) > _SHOWN else words) or "its defaults"

    def first(self, names: Sequence[str], rest: Where) -> tuple[str, Where] | None:
        """Return the first of the parameters that somebody gave, those of the row first, with what follows."""
        return next(((name, rest) for _, _, data in self._sources for name in names if name in data), None)

    def fault(self, name: str, rest: Where = (), message: str = "") -> Fault:
        """Return a fault at the value of a parameter, at its default if it was not given."""
        for document, where, data in self._sources:
            if name in data:
                return document.fault((*where, name, *rest), message)
        where = (*self._template.where, "parameters", name, "default", *rest)
        return self._template.document.fault(where, message)

    def read(self, points: Collection[str] | None) -> Iterator[Fault]:
        """Read every value; yield what is wrong. With ``points`` None they are not checked."""
        for document, where, data in self._sources:
            for name in data:
                if name not in self._template.parameters:
                    near = suggestion(name, list(self._template.parameters))
                    text = f"template {self._template.name!r} has no parameter {name!r}{near}"
                    yield document.fault((*where, name), text, at_key=True)
        for name, parameter in self._template.parameters.items():
            yield from self._one(name, parameter, points)

    def _one(self, name: str, parameter: ParameterOptions, points: Collection[str] | None) -> Iterator[Fault]:
        found = next(((doc, data[name]) for doc, _, data in self._sources if name in data), None)
        if found is None and parameter.required:
            document, where, _ = self._sources[0]
            what = f" ({parameter.description})" if parameter.description else ""
            yield document.fault(where, f"the parameter {name!r}{what} of {self._template.name!r} is missing; add it")
            return
        document, value = found if found is not None else (self._template.document, parameter.default)
        try:
            cell = isinstance(document, Table) and isinstance(value, str)
            self.values[name] = read_cell(parameter.type, value) if cell else read_value(parameter.type, value)
        except ValueError as error:
            yield self.fault(name, (), f"{error} (parameter {name!r}, {self._template.place})")
            return
        if parameter.type == "point" and points is not None and value is not None and value not in points:
            near = suggestion(str(value), list(points))
            hint = near if "did you mean" in near else "; declare it under devices in the site file"
            yield self.fault(
                name, (), f"there is no point {value!r}{hint} (parameter {name!r}, {self._template.place})"
            )


class Table(Document):
    """A CSV file whose rows are parameters."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises ConfigError."""
        self.name, self.context = str(path), {}
        self._places, self._keys = {}, {}
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8; save it as 'CSV UTF-8'"
            raise ConfigError([Fault(self.name, 1, 1, f"cannot be read: {reason}")]) from error
        head = [cell.strip() for cell in next(csv.reader(lines[:1]), [])]
        self.data = [self._row(head, number, line) for number, line in enumerate(lines[1:], 1) if line.strip(" ,")]
        if not self.data:
            raise ConfigError([Fault(self.name, 1, 1, "the table has no rows, so there would be no alarm at all")])

    def _row(self, head: list[str], number: int, line: str) -> dict[str, str]:
        row, index, column = {}, len({where[0] for where in self._places if where}), 0
        self._places[(index,)] = _mark(number, 0)
        for position, cell in enumerate(next(csv.reader([line]))):
            name = head[position] if position < len(head) else f"column {position + 1}"
            if cell.strip():
                row[name] = cell.strip()
                self._places[(index, name)] = _mark(number, column)
                self._keys[(index, name)] = _mark(0, sum(len(each) + 1 for each in head[:position]))
            column += len(cell) + 1
        return row


def expand(
    template: Template, document: Document, where: Where, use: UseOptions, points: Collection[str] | None
) -> Iterator[tuple[Expansion, Where] | Fault]:
    """Yield every rule of every row, and every fault of the parameters."""
    common = (document, (*where, "with") if use.with_ else where, use.with_)
    for source in _sources(document, where, use):
        if isinstance(source, Fault):
            yield source
            continue
        given = Given(template, [source, common] if source is not None else [common])
        faults = list(given.read(points))
        yield from faults
        if not faults:
            filled = Filled(template, given.values)
            for data, root in filled.rules:
                yield Expansion(template, data, root, filled, given), root


def _sources(
    document: Document, where: Where, use: UseOptions
) -> Iterator[tuple[Document, Where, Mapping[str, Any]] | Fault | None]:
    if use.for_each is None:
        yield None
    elif isinstance(use.for_each, TableOptions):
        try:
            table = Table(Path(document.name).parent / use.for_each.file)
        except ConfigError as error:
            place_ = (*where, "for_each", "file")
            yield from (document.fault(place_, f"{use.for_each.file}: {fault.message}") for fault in error.faults)
            return
        yield from ((table, (index,), row) for index, row in enumerate(table.data))
    else:
        for index, row in enumerate(use.for_each):
            yield document, (*where, "for_each", index), row


def _at(fault: Fault) -> tuple[str, int, int]:
    return fault.file, fault.line, fault.column


def _mark(line: int, column: int) -> yaml.Mark:
    return yaml.Mark("", 0, line, column, None, 0)
