"""What ``site.yaml`` may say of an OPC UA server and its points."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, PointOptions
from drivers.scaling import conversion_fault

_NODE = re.compile(r"((nsu=[^;]+|ns=\d+);)?(i=\d+|s=.+|g=[0-9A-Fa-f-]{36}|b=.+)")


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a node id; write nsu=NAMESPACE-URI;s=NAME (or i=NUMBER), or ns=INDEX;s=NAME"
        )
    return value


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"opc\.tcp://([^/\s:@]+|\[[0-9A-Fa-f:.]+\]):\d+(/\S*)?", value):
        raise ValueError(
            f"{value!r} is not an OPC UA endpoint; write opc.tcp://HOST:PORT/PATH (the usual port is 4840)"
        )
    return value


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None else base / path


class OpcUaPoint(PointOptions):
    """One variable. Prefer namespaces by URI: their index may change when the server restarts."""

    node: Annotated[str, AfterValidator(_node)]

    @model_validator(mode="after")
    def _scale_is_of_use(self) -> OpcUaPoint:
        if fault := conversion_fault(self):
            raise ValueError(fault)
        return self


class OpcUaDevice(DeviceOptions):
    """One server, for now without message security (a later version signs and encrypts)."""

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    sampling: Duration = Field(default=0.5, gt=0, description="interval of the monitored items")
    queue: int = Field(default=10, ge=1, description="values that the server keeps of each item between two publishes")
    username: str = ""
    password_file: Annotated[Path, AfterValidator(_beside_the_file)] | None = None
    timeout: Duration = Field(default=2.0, gt=0)

    @model_validator(mode="after")
    def _login_is_whole(self) -> OpcUaDevice:
        if self.password_file is not None and not self.username:
            raise ValueError("'password_file' is of no use without 'username'; add it")
        return self
