"""Whose bundles a site takes: those signed with a key that it trusts, and those that come with anshao."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agent.core.errors import ConfigError, Fault
from agent.core.signatures import signer

SIGNATURES = "manifest.sig"
"""Beside the manifest: a signature of its octets in each line. The manifest holds the hash of every other file."""
_MOST_OCTETS = 4096
_SHIPPED = Path(__file__).parent


class Signers:
    """``trusted`` holds public keys by name; without any, every bundle is taken, as its hashes only show damage."""

    def __init__(self, trusted: Mapping[str, str]) -> None:
        self._trusted = trusted

    def fault(self, folder: Path) -> str:
        """Return why the bundle is not trusted, or nothing. Says nothing of its files: the hashes do."""
        if not self._trusted:
            return ""
        try:
            manifest = (folder / "manifest.yaml").read_bytes()
            if signer(manifest, signatures_of(folder), self._trusted) or _is_shipped(manifest):
                return ""
        except OSError as error:
            return f"cannot be read ({error.strerror}); copy the bundle anew"
        names = ", ".join(self._trusted)
        if not (folder / SIGNATURES).exists():
            return f"is not signed, and models are taken only from {names}; have it signed: anshao models sign"
        return f"is not as any of {names} signed it: it was changed, or somebody else signed it; ask who made it"

    def verify(self, folder: Path) -> None:
        """Raise ConfigError when the bundle is not trusted."""
        fault = self.fault(folder)
        if fault:
            raise ConfigError([Fault(str(folder / "manifest.yaml"), 1, 1, f"the manifest {fault}")])


def signatures_of(folder: Path) -> str:
    """Return a bundle's signatures, however large the file is; nothing where it has none. Raises OSError."""
    try:
        with (folder / SIGNATURES).open("rb") as file:
            return file.read(_MOST_OCTETS).decode("ascii", errors="ignore")
    except FileNotFoundError:
        return ""


def add_signature(folder: Path, signature: str) -> None:
    """Add a signature to those that the bundle has. Raises OSError."""
    lines = dict.fromkeys([*signatures_of(folder).split(), signature])
    (folder / SIGNATURES).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _is_shipped(manifest: bytes) -> bool:
    """Tell whether it is the manifest of a bundle that was installed with anshao, wherever it was copied to."""
    return any(path.read_bytes() == manifest for path in _SHIPPED.glob("*/manifest.yaml"))
