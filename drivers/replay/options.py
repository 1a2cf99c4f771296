"""What ``site.yaml`` may say of a recording. Its points are those that were recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from agent.core.options import DeviceOptions, PointOptions
from agent.core.recording import NotARecording, Recording
from agent.core.secrets import beside_the_file


def _recorded(path: Path) -> Path:
    try:
        Recording(path)
    except (OSError, NotARecording) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ValueError(f"{path}: {reason}") from error
    return path


class ReplayPoint(PointOptions):
    """There are none to write down."""

    @model_validator(mode="after")
    def _is_none(self) -> ReplayPoint:
        raise ValueError("a recording brings its points along; leave 'points' out")


class ReplayDevice(DeviceOptions):
    """A file that ``anshao record`` made."""

    file: Annotated[Path, AfterValidator(beside_the_file), AfterValidator(_recorded)]
    device: str = Field(
        default="", description="device whose points are taken; empty: of the same name, or the only one"
    )
    speed: float = Field(default=1.0, gt=0, le=1000)
    loop: bool = False
