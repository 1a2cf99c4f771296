"""CEL expressions over declared inputs. What is unknown is left out, which CEL treats as in Kleene's logic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.core.document import Where, suggestion
from agent.core.model import Instant, Quality, Value
from agent.core.ports import Facts
from rules.cel_engine import compile_expression
from rules.condition import UNKNOWN, Condition, Verdict


class CelCondition(Condition):
    """A CEL program over its own inputs.

    CEL treats a missing name as an error that ``||`` and ``&&`` absorb as in Kleene's logic, so that
    ``unknown || true`` is true. Every other error, and a result that is no bool, is unknown as well.
    """

    def __init__(self, when: str, inputs: Mapping[str, str]) -> None:
        """Compile. Raises ValueError with the compiler's words."""
        self.when = when
        self._points = tuple(inputs.items())
        self._inputs = tuple(inputs.values())
        self._program: Any = compile_expression(when)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The points behind the declared names."""
        return self._inputs

    @property
    def variables(self) -> set[str]:
        """Names that the expression uses."""
        return set(self._program.variables())

    def judge(self, facts: Facts, memory: Any, held: bool, now: Instant) -> Verdict:  # noqa: ARG002 - no deadband here
        """Evaluate with what is known; a False that rests on an UNCERTAIN input is unknown."""
        known: dict[str, Value] = {}
        uncertain: list[str] = []
        degraded = False
        get, now_s = facts.get, now.mono_s
        for name, point in self._points:
            sample = get(point, now_s)
            value = None if sample is None else sample[1]
            if value is None or value != value or sample is None:  # NaN is no value
                degraded = True
                continue
            known[name] = value
            if sample[2] is not Quality.GOOD:
                uncertain.append(name)
        result = self._execute(known)
        if result is False and uncertain:
            result = self._execute({name: value for name, value in known.items() if name not in uncertain})
        return UNKNOWN if result is None else Verdict(result, result, degraded or bool(uncertain))

    def describe(self) -> str:
        """Return the expression with its inputs."""
        return f"{self.when}  [{', '.join(f'{name}={point}' for name, point in self._points)}]"

    def explain(self, facts: Facts, memory: Any, now: Instant) -> Iterator[str]:
        """Yield the inputs, and of a chain of ``&&`` what each link is."""
        yield from super().explain(facts, memory, now)
        links = _links(self.when)
        for link in links if len(links) > 1 else ():
            inputs = {name: point for name, point in self._points if re.search(rf"\b{name}\b", link)}
            exceeded = CelCondition(link, inputs).judge(facts, None, False, now).exceeded if inputs else None
            yield f"{link} is {'unknown' if exceeded is None else str(exceeded).lower()}"

    def _execute(self, context: dict[str, Value]) -> bool | None:
        try:
            result = self._program.execute(context)
        except _CEL_ERRORS:
            return None
        return result if isinstance(result, bool) else None


def expression_faults(when: str, inputs: Mapping[str, str]) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with an expression and its inputs, and where: ``('when',)`` or ``('inputs', name)``."""
    try:
        used = CelCondition(when, inputs).variables
    except ValueError as error:
        yield ("when",), _in_words(error)
        return
    for name in sorted(used - set(inputs)):
        yield ("when",), f"{name!r} is not declared under inputs{suggestion(name, list(inputs))}"
    for name in sorted(set(inputs) - used):
        yield ("inputs", name), f"the input {name!r} is not used in 'when'; remove it"


def _links(when: str) -> list[str]:
    """Return the terms that ``&&`` joins, without those in brackets; the whole if it is no such chain."""
    links, depth, begin, quote = [], 0, 0, ""
    for index, sign in enumerate(when):
        if quote or sign in "\"'":
            quote = "" if sign == quote else quote or sign
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            depth -= 1
        elif not depth and (sign == "?" or when[index : index + 2] == "||"):
            return [when]
        elif not depth and when[index : index + 2] == "&&":
            links.append(when[begin:index].strip())
            begin = index + 2
    return [*links, when[begin:].strip()]


_CEL_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the engine raises: missing names, mixed types, division by zero, overflow, what it cannot convert."""

_SYNTAX = re.compile(r"<input>:\d+:(\d+): (?:Syntax error: )?(.*)")


def _in_words(error: ValueError) -> str:
    """Keep what a person can use of the parser's message: what it met, and where."""
    found = _SYNTAX.search(str(error))
    if found is None:
        return f"not a valid CEL expression: {str(error).splitlines()[0]}"
    what = found[2].split(" expecting ")[0].replace("'<EOF>'", "the end of the text")
    return f"not a valid CEL expression: {what} at character {found[1]}"
