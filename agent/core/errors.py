"""An error class exists only where the caller acts differently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake in a file a person wrote; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(Exception):
    """Files that cannot be used, with every fault at once; the caller keeps what it runs now."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


class NotConnected(Exception):  # noqa: N818 - a state, in the words of the field
    """The device cannot be reached or did not answer; a write's outcome is unknown. Connect anew."""


class Refused(Exception):  # noqa: N818
    """The device answered no; do not retry the same request."""


class NotAllowed(Exception):  # noqa: N818
    """What a person or the centre asked for is against the rules of the site; the text says what would be right."""
