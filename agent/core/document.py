"""A YAML file that knows where each of its values stands, so that every fault can name line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.core.errors import ConfigError, Fault

Where = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class Document:
    """The plain data of one YAML file in ``data``, and the place of each key and value in it."""

    def __init__(self, name: str, text: str) -> None:
        """Parse ``text``. Raises ConfigError for broken YAML, duplicate keys and keys that are not text."""
        self.name = name
        self.context: dict[str, Any] = {"from_file": True, "base": Path(name).parent}
        self._places: dict[Where, yaml.Mark] = {}
        self._keys: dict[Where, yaml.Mark] = {}
        self._faults: list[Fault] = []
        try:
            root = self._compose(text)
            self.data: Any = self._plain(root, ()) if root is not None else None
        except RecursionError:
            message = "not valid YAML: nested too deeply, or an alias that contains itself; write it out"
            raise ConfigError([Fault(name, 1, 1, message)]) from None
        if self._faults:
            raise ConfigError(self._faults)

    @classmethod
    def load(cls, path: Path) -> Document:
        """Read a file. Raises ConfigError also when it cannot be read."""
        try:
            return cls(str(path), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError([Fault(str(path), 1, 1, f"cannot be read: {reason}")]) from error

    def fault(self, where: Where, message: str, *, at_key: bool = False) -> Fault:
        """Return a fault at the value of ``where`` (or at its key), or at its nearest parent that exists."""
        first, second = (self._keys, self._places) if at_key else (self._places, self._keys)
        for length in range(len(where), -1, -1):
            mark = first.get(where[:length]) or second.get(where[:length])
            if mark is not None:
                return Fault(self.name, mark.line + 1, mark.column + 1, message)
        return Fault(self.name, 1, 1, message)

    def read(self, model: type[M], where: Where = (), data: Any = None) -> tuple[M | None, list[Fault]]:
        """Validate ``data`` (default: what stands at ``where``) as ``model``: the model, or every fault.

        Validators get ``context``: ``from_file`` (True), ``base`` (the folder that relative paths start from),
        and what the caller adds.
        """
        data = self.at(where) if data is None else data
        try:
            return model.model_validate({} if data is None else data, context=self.context), []
        except ValidationError as error:
            return None, [self._explain(model, where, detail) for detail in error.errors() if not _follows(detail)]

    def at(self, where: Where) -> Any:
        """Return the plain data at ``where``, None where there is none."""
        data = self.data
        for step in where:
            try:
                data = data[step]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            problem = error.problem or "cannot be parsed"
            if r"'\t'" in problem:
                problem = "indented with a tab; use blanks"
            raise ConfigError([Fault(self.name, line, column, f"not valid YAML: {problem}")]) from error
        except yaml.YAMLError as error:
            raise ConfigError([Fault(self.name, 1, 1, f"not valid YAML: {error}")]) from error

    def _plain(self, node: yaml.Node, where: Where) -> Any:
        self._places[where] = node.start_mark
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, where))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(child, (*where, index)) for index, child in enumerate(node.value)]
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            kind = node.tag.removeprefix("tag:yaml.org,2002:")
            self._faults.append(self._at(node, f"{node.value!r} is no valid {kind}; put it in quotes, without a tag"))
            return None

    def _pairs(self, node: yaml.MappingNode, where: Where) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = (*where, key)
            if place in self._keys:
                first = self._keys[place].line + 1
                self._faults.append(self._at(key_node, f"{key!r} is given twice (first in line {first}); remove one"))
                continue
            self._keys[place] = key_node.start_mark
            yield key, self._plain(value_node, place)

    def _at(self, node: yaml.Node, message: str) -> Fault:
        return Fault(self.name, node.start_mark.line + 1, node.start_mark.column + 1, message)

    def _explain(self, model: type[BaseModel], where: Where, detail: ErrorDetails) -> Fault:
        loc: Where = tuple(detail["loc"])
        unknown = detail["type"] == "extra_forbidden"
        message = _unknown_key(model, loc) if unknown else _in_words(detail)
        return self.fault((*where, *loc), message, at_key=unknown or detail["type"] == "missing")


def suggestion(word: str, known: list[str] | Mapping[str, Any]) -> str:
    """Return ``; did you mean 'x'?`` or the list of what there is, for the end of a message."""
    close = difflib.get_close_matches(word, list(known), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if known else ""


def _unknown_key(model: type[BaseModel], loc: Where) -> str:
    fields = _fields_at(model, loc[:-1])
    return f"unknown key {loc[-1]!r}{suggestion(str(loc[-1]), fields)}"


def _fields_at(model: type[BaseModel], loc: Where) -> list[str]:
    """Follow ``loc`` through nested models as far as their annotations tell."""
    current: Any = model
    for step in loc:
        field = current.model_fields.get(step) if _is_model(current) else None
        annotation = field.annotation if field is not None else current
        current = next((kind for kind in _kinds(annotation) if _is_model(kind)), current)
    return [name.removesuffix("_") for name in current.model_fields] if _is_model(current) else []


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in get_args(annotation):
        yield from _kinds(argument)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _follows(detail: ErrorDetails) -> bool:
    """Tell whether a fault only follows from another: a list is too short since its items are faulty."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _in_words(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f"{detail['loc'][-1]!r} is missing; add it"
    if kind == "too_short":
        return f"{detail['loc'][-1]!r} is empty; give at least one"
    if kind == "value_error":
        return str(context["error"])
    shown = f" (found {detail['input']!r})" if not isinstance(detail["input"], dict | list) else ""
    return (
        detail["msg"].replace("Input should", "should")[:1].lower()
        + detail["msg"].replace("Input should", "should")[1:]
        + shown
    )
