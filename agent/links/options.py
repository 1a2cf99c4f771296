"""What the site's file may say of a connection, whatever goes over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.options import Options
from agent.core.secrets import File, Secret
from agent.links.address import is_encrypted

_SECURE = "write mqtts://, wss:// or https://"


class LinkOptions(Options):
    """How we come to a broker, and who we are there; ``agent.links.tls`` reads the files."""

    client_id: str = ""
    username: str = ""
    password: Secret | None = None
    ca_file: File | None = Field(default=None, description="who signed the brokers' certificates; None: the system's")
    certificate: File | None = Field(default=None, description="our own, in PEM, for brokers that ask for one")
    key: File | None = Field(default=None, description="of our certificate; nobody else may read it")
    keepalive: Duration = Field(default=10.0, ge=1, le=65535)
    patience: Duration = Field(default=10.0, ge=1, le=60, description="how long a broker may take to take us in")
    prefer_again: Duration = Field(
        default=60.0, ge=1, description="on another broker than the first, a better one is tried that often"
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("'certificate' and 'key' belong together; give both or none")
        return self

    def secret(self) -> str | None:
        """Return what proves who we are. It may read a file; raises ValueError, OSError."""
        return self.password.read() if self.password is not None else None

    def require_use_of_certificates(self, ends: Iterable[str]) -> None:
        """Raise ValueError when there are certificates, and no end is spoken to with TLS."""
        ends = tuple(ends)
        if (self.certificate or self.ca_file) and not any(map(is_encrypted, ends)):
            raise ValueError(f"{ends[0]} is not encrypted, so certificates are of no use; {_SECURE}")
