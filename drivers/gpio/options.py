"""What ``site.yaml`` may say of a GPIO chip and its lines."""

from __future__ import annotations

from collections.abc import Hashable, Set
from typing import Annotated, Literal

from pydantic import Field, model_validator

from agent.core.durations import Duration
from agent.core.options import DeviceOptions, PointOptions


class GpioPoint(PointOptions):
    """One line: true or false."""

    line: Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1)]
    active_low: bool = False
    bias: Literal["as-is", "pull-up", "pull-down", "disabled"] = "as-is"
    debounce: Duration = Field(default=0.01, ge=0, le=10, description="of an input, by the kernel")
    drive: Literal["push-pull", "open-drain", "open-source"] = "push-pull"

    def places(self) -> Set[Hashable]:
        """Return its line."""
        return {self.line}

    @model_validator(mode="after")
    def _is_a_switch(self) -> GpioPoint:
        if self.model_fields_set & {"scale", "offset", "clamp", "values"}:
            raise ValueError("a line is true or false; leave 'scale', 'offset', 'clamp' and 'values' out")
        if not self.writable and "drive" in self.model_fields_set:
            raise ValueError("'drive' is for outputs; add 'writable: true', or leave it out")
        return self


class GpioDevice(DeviceOptions):
    """One chip."""

    chip: str = Field(pattern=r"^/dev/gpiochip\d+$", description="such as /dev/gpiochip0")
