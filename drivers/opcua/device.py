"""What ``site.yaml`` may say of an OPC UA server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"opc\.tcp://([^/\s:@]+|\[[0-9A-Fa-f:.]+\]):\d+(/\S*)?", value):
        raise ValueError(
            f"{value!r} is not an OPC UA endpoint; write opc.tcp://HOST:PORT/PATH (the usual port is 4840)"
        )
    return value


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None else base / path


class OpcUaDevice(DeviceOptions):
    """One server, for now without message security (a later version signs and encrypts)."""

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    mode: Literal["subscribe", "poll"] = Field(default="subscribe", description="poll: read every 'sampling'")
    sampling: Duration = Field(default=0.5, gt=0, description="interval of the monitored items, or of polling")
    queue: int = Field(default=10, ge=1, description="values that the server keeps of each item between two publishes")
    watchdog: Duration = Field(
        default=10.0, ge=1, description="so often a share of the items is read, to find those that fell silent"
    )
    username: str = ""
    password_file: Annotated[Path, AfterValidator(_beside_the_file)] | None = None
    timeout: Duration = Field(default=2.0, gt=0)

    @model_validator(mode="after")
    def _login_is_whole(self) -> OpcUaDevice:
        if self.password_file is not None and not self.username:
            raise ValueError("'password_file' is of no use without 'username'; add it")
        return self
