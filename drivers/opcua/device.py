"""What ``site.yaml`` may say of an OPC UA server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, Options
from agent.core.secrets import File, Secret

Policy = Literal[
    "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "Basic256", "Basic128Rsa15"
]  # fmt: skip
DEPRECATED = ("Basic256", "Basic128Rsa15")


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"opc\.tcp://([^/\s:@]+|\[[0-9A-Fa-f:.]+\]):\d+(/\S*)?", value):
        raise ValueError(
            f"{value!r} is not an OPC UA endpoint; write opc.tcp://HOST:PORT/PATH (the usual port is 4840)"
        )
    return value


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Endpoint = Annotated[str, AfterValidator(_endpoint)]


def _own_folder(path: Path | None, info: ValidationInfo) -> Path:
    context = info.context or {}
    if path is not None:
        return context["base"] / path if "base" in context else path
    return Path(context.get("state", ".")) / "pki"


class Channel(Options):
    """One way to secure the messages."""

    policy: Policy
    mode: Literal["Sign", "SignAndEncrypt"] = "SignAndEncrypt"
    allow_deprecated: bool = False

    @model_validator(mode="after")
    def _is_of_use(self) -> Channel:
        if self.policy in DEPRECATED and not self.allow_deprecated:
            raise ValueError(f"{self.policy} is broken; take Basic256Sha256, or add 'allow_deprecated: true'")
        return self


def _security(value: object) -> object:
    if isinstance(value, str) and value not in ("auto", "none"):
        raise ValueError(f"{value!r} is no security; write auto, none, or {{policy: Basic256Sha256, mode: Sign}}")
    return value


class OpcUaDevice(DeviceOptions):
    """One server, or several that stand in for each other (cold redundancy, in order of preference)."""

    endpoint: Annotated[tuple[Endpoint, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
    security: Annotated[Literal["auto", "none"] | Channel, BeforeValidator(_security)] = Field(
        default="auto", description="auto: the strongest that the server offers, and never nothing"
    )
    pki: Annotated[Path | None, AfterValidator(_own_folder)] = Field(
        default=None, validate_default=True, description="folder of certificates; None: pki in the gateway's state"
    )
    check_host: bool = Field(default=True, description="the server's certificate must name its host")
    username: str = ""
    password: Secret | None = None
    password_file: File | None = Field(default=None, description="the older way to write password: {file: …}")
    user_certificate: File | None = None
    user_key: File | None = None
    user_key_password: Secret | None = None
    insecure_password: bool = Field(default=False, description="send a password although nothing is encrypted")
    mode: Literal["subscribe", "poll"] = Field(default="subscribe", description="poll: read every 'sampling'")
    sampling: Duration = Field(default=0.5, gt=0, description="interval of the monitored items, or of polling")
    queue: int = Field(default=10, ge=1, description="values that the server keeps of each item between two publishes")
    watchdog: Duration = Field(
        default=10.0, ge=1, description="so often a share of the items is read, to find those that fell silent"
    )
    timeout: Duration = Field(default=2.0, gt=0)

    @property
    def folder(self) -> Path:
        """Where certificates are kept."""
        assert self.pki is not None
        return self.pki

    @model_validator(mode="after")
    def _login_is_whole(self) -> OpcUaDevice:
        if fault := self._login_fault():
            raise ValueError(fault)
        return self

    def _login_fault(self) -> str:
        has_password = self.password is not None or self.password_file is not None
        if has_password and not self.username:
            return f"{'password' if self.password else 'password_file'!r} is of no use without 'username'; add it"
        if self.password is not None and self.password_file is not None:
            return "'password' and 'password_file' are the same; leave one out"
        if has_password and self.security == "none" and not self.insecure_password:
            return (
                "a password needs a secured connection; leave 'security: none' out, "
                "or accept that others may read it with 'insecure_password: true'"
            )
        if (self.user_certificate is None) is not (self.user_key is None):
            return "'user_certificate' and 'user_key' belong together; give both or none"
        if self.user_certificate is not None and self.username:
            return "'user_certificate' and 'username' are two ways to log in; leave one out"
        return ""
