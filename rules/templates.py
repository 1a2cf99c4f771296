"""Templates: rules with parameters. ``$(tank).level`` in a template becomes ``tk101.level`` at each use of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from agent.core.document import Document, Where, suggestion
from agent.core.errors import Fault
from agent.core.options import Options
from rules.parameters import Parameter, ParameterOptions, as_text

PLACEHOLDER = re.compile(r"\$\(([^()]*?)(~?)\)")
_WITHIN_TEXT = ("list", "any")
"""Types that cannot stand within a longer text."""


class TemplateOptions(Options):
    """Rules with parameters; ``$(name)`` stands for a value, and ``$(name~)`` takes its mapping away without one."""

    description: str = ""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    rules: list[dict[str, Any]] = Field(min_length=1)


class Template:
    """One template, and where it stands."""

    def __init__(self, name: str, options: TemplateOptions, document: Document) -> None:
        self.name, self.options, self.document = name, options, document
        self.where: Where = ("templates", name)
        self.first_use: dict[Fault, str] = {}

    @property
    def parameters(self) -> Mapping[str, ParameterOptions]:
        """Its parameters by name."""
        return self.options.parameters

    @property
    def place(self) -> str:
        """``file:line:column`` of its name."""
        return place(self.document.fault(self.where, "", at_key=True))

    def faults(self) -> Iterator[Fault]:
        """Find placeholders without a parameter, and parameters that nothing uses."""
        used: set[str] = set()
        for where, key, text in _texts(self.options.rules, (*self.where, "rules")):
            for match in PLACEHOLDER.finditer(text):
                used.add(match[1])
                if message := self._wrong(match, text, key):
                    yield self.document.fault(where, message, at_key=key)
            if "$(" in PLACEHOLDER.sub("", text):
                yield self.document.fault(where, f"{text!r} has a placeholder that does not end; write $(name)")
        for name in self.parameters:
            if name not in used:
                where = (*self.where, "parameters", name)
                text = f"the parameter {name!r} is not used in the rules of the template; remove it"
                yield self.document.fault(where, text, at_key=True)

    def _wrong(self, match: re.Match[str], text: str, key: bool) -> str:
        name = match[1]
        if key:
            return f"{match[0]} stands in a key; a placeholder can stand in values only"
        if name not in self.parameters:
            return f"{match[0]}: there is no parameter {name!r}{suggestion(name, list(self.parameters))}"
        kind = self.parameters[name].type
        if match[0] != text and kind in _WITHIN_TEXT:
            return f"{match[0]} of type {kind!r} cannot stand within a longer text; give the parameter another type"
        return ""


class Filled:
    """A template's rules with the values in place, and which parameters each of them came from."""

    def __init__(self, template: Template, values: Mapping[str, Any]) -> None:
        self.origins: dict[Where, tuple[str, ...]] = {}
        self._template, self._values = template, values
        root = (*template.where, "rules")
        self.rules = [(self._value(rule, (*root, i)), (*root, i)) for i, rule in enumerate(template.options.rules)]

    def _value(self, node: Any, where: Where) -> Any:
        if isinstance(node, dict):
            return self._mapping(node, where)
        if isinstance(node, list):
            return [self._value(child, (*where, index)) for index, child in enumerate(node)]
        return self._text(node, where) if isinstance(node, str) else node

    def _mapping(self, node: Mapping[str, Any], where: Where) -> Any:
        """Leave out each key whose parameter has no value; the whole mapping if it is marked so."""
        found = {}
        for key, child in node.items():
            missing = self._missing(child)
            if missing == "~":
                return None
            value = self._value(child, (*where, key))
            if missing is None and not (value is None and isinstance(child, dict)):
                found[key] = value
        return found

    def _missing(self, child: Any) -> str | None:
        match = PLACEHOLDER.fullmatch(child) if isinstance(child, str) else None
        return match[2] if match is not None and self._values.get(match[1]) is None else None

    def _text(self, text: str, where: Where) -> Any:
        names = tuple(match[1] for match in PLACEHOLDER.finditer(text))
        if not names:
            return text
        self.origins[where] = names
        if PLACEHOLDER.fullmatch(text):
            return self._values[names[0]]
        return PLACEHOLDER.sub(lambda match: self._word(match[1], str(where[-1])), text)

    def _word(self, name: str, key: str) -> str:
        value = self._values[name]
        return "" if value is None else as_text(self._template.parameters[name].type, value, key)


def place(fault: Fault) -> str:
    """Return ``file:line:column``."""
    return f"{fault.file}:{fault.line}:{fault.column}"


def _texts(node: Any, where: Where) -> Iterator[tuple[Where, bool, str]]:
    """Yield every text in it, where it stands, and whether it is a key."""
    if isinstance(node, dict):
        for key, child in node.items():
            yield (*where, key), True, key
            yield from _texts(child, (*where, key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from _texts(child, (*where, index))
    elif isinstance(node, str):
        yield where, False, node
