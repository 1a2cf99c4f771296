"""Expectations of the scenario: each is checked from outside, and one that fails stays failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expectation:
    """``ok`` is None for what was not run; it is then neither met nor failed."""

    name: str
    ok: bool | None
    detail: str


class Checklist:
    """The outcome of every expectation; of several rounds the first failure counts, else the last success."""

    def __init__(self, names: dict[str, str]) -> None:
        """``names`` maps each expectation to what it demands, in words."""
        self._demands = dict(names)
        self._met: dict[str, Expectation] = {}

    def note(self, name: str, ok: bool, detail: str) -> bool:
        """Take an outcome and return ``ok``. Raises KeyError for a name that nobody declared."""
        demand = self._demands[name]
        before = self._met.get(name)
        if before is None or before.ok:
            self._met[name] = Expectation(name, ok, detail if ok else f"expected: {demand}; {detail}")
        return ok

    @property
    def results(self) -> list[Expectation]:
        """Every expectation, in the order of the scenario."""
        return [
            self._met.get(name) or Expectation(name, None, f"not run: {demand}")
            for name, demand in self._demands.items()
        ]

    @property
    def failed(self) -> bool:
        """Tell whether any expectation failed."""
        return any(result.ok is False for result in self._met.values())
