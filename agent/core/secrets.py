"""Passwords and keys: a site's file says where they are, never what they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from agent.core.options import Options

_HELP = "write {credential: NAME} (systemd's LoadCredential=), {env: NAME} or {file: PATH}, and the secret there"


def beside_the_file(path: Path, info: ValidationInfo) -> Path:
    """Return a path of a site's file; relative ones begin at its folder."""
    base = (info.context or {}).get("base")
    return path if base is None else base / path


File = Annotated[Path, AfterValidator(beside_the_file)]


def _no_plain_text(value: Any) -> Any:
    if isinstance(value, str | int | float):
        raise ValueError(f"a secret does not stand in this file; {_HELP}")  # it is not repeated here
    return value


class SecretPlace(Options):
    """Where a secret is: a credential of systemd, an environment variable, or a file that others cannot read."""

    credential: str = Field(default="", pattern=r"^[\w.-]*$")
    env: str = ""
    file: File | None = None

    @model_validator(mode="after")
    def _is_one(self) -> SecretPlace:
        if sum(map(bool, (self.credential, self.env, self.file))) != 1:
            raise ValueError(f"give one place; {_HELP}")
        return self

    def read(self) -> str:
        """Return the secret, without white space around it. Raises ValueError: what is wrong there."""
        if self.env:
            if self.env not in os.environ:
                raise ValueError(f"the environment has no variable {self.env}")
            return os.environ[self.env].strip()
        return _text(self.file if self.file is not None else _credential(self.credential))


Secret = Annotated[SecretPlace, BeforeValidator(_no_plain_text)]


def _credential(name: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ValueError(f"there is no credential {name!r}; add LoadCredential={name}:PATH to the unit")
    return Path(folder) / name


def _text(path: Path) -> str:
    try:
        if path.stat().st_mode & stat.S_IROTH:
            raise ValueError(f"everybody can read the secret in {path}; chmod 640 it")
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the secret in {path} cannot be read: {error.strerror}") from error
