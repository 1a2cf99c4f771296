"""What is known of I/O modules: a profile each, as data. A site may bring its own file."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo

from agent.core.options import Options
from drivers.modbus.address import Address


class Check(Options):
    """A register (or bit) and what it holds when the answer is yes; without ``values`` anything but 0."""

    address: Address
    values: tuple[int, ...] = ()

    def is_met(self, raw: int) -> bool:
        """Tell whether ``raw`` means yes."""
        return raw in self.values if self.values else raw != 0


class Command(Options):
    """A register (or coil) to write."""

    address: Address
    write: int = Field(ge=0, le=65535)


class Profile(Options):
    """How a module guards itself against a master that falls silent.

    ``watchdog`` tells whether its watchdog is on, ``safe_mode`` whether it has acted; ``clear`` ends its
    safe mode. ``refusals`` are exception codes with which a module in safe mode answers a write.
    ``alive_by``: what keeps the watchdog from acting, any request or writes alone.
    """

    name: str
    source: str = Field(description="where this is documented")
    watchdog: Check | None = None
    safe_mode: Check | None = None
    clear: tuple[Command, ...] = ()
    refusals: tuple[int, ...] = ()
    alive_by: Literal["any", "write"] = "any"
    remarks: str = ""


def names() -> list[str]:
    """Return the names of the profiles that come with anshao."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def _load(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if value in names():
        return _parse(resources.files(__package__).joinpath(f"{value}.yaml").read_text(encoding="utf-8"), value)
    file = Path((info.context or {}).get("base") or ".") / value
    if not file.is_file():
        raise ValueError(f"{value!r} is neither a known module ({', '.join(names())}) nor a file beside the site's")
    return _parse(file.read_text(encoding="utf-8"), str(file))


def _parse(text: str, where: str) -> Profile:
    try:
        return Profile.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"{where} is no profile of a module: {error}") from error


Module = Annotated[Profile, BeforeValidator(_load)]
