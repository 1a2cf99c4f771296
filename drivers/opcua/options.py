"""What ``site.yaml`` may say of an OPC UA server and its points."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, PointOptions

_NODE = re.compile(r"((nsu=[^;]+|ns=\d+);)?[isgb]=.+")


def _node(value: str) -> str:
    if not _NODE.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a node id; write nsu=NAMESPACE-URI;s=NAME (or i=NUMBER), or ns=INDEX;s=NAME"
        )
    return value


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"opc\.tcp://[^/\s:]+(:\d+)?(/\S*)?", value):
        raise ValueError(f"{value!r} is not an OPC UA endpoint; write opc.tcp://HOST:PORT/PATH")
    return value


class OpcUaPoint(PointOptions):
    """One variable. Prefer namespaces by URI: their index may change when the server restarts."""

    node: Annotated[str, AfterValidator(_node)]


class OpcUaDevice(DeviceOptions):
    """One server, for now without message security (a later version signs and encrypts)."""

    endpoint: Annotated[str, AfterValidator(_endpoint)]
    sampling: Duration = Field(default=0.5, gt=0, description="interval of the monitored items")
    queue: int = Field(default=10, ge=1, description="values that the server keeps of each item between two publishes")
    username: str = ""
    password_file: Path | None = None
    timeout: Duration = Field(default=2.0, gt=0)
