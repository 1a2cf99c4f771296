"""What a network wants to be fed, as a manifest says it. Free of numpy: the agent reads manifests too."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.core.options import Options

Three = tuple[float, float, float]


class InputSpec(Options):
    """Value = (pixel / divisor - mean) / std, per channel in the order of ``colour``.

    ``corner`` and ``centre`` keep the picture's shape and pad it, ``stretch`` does not, ``crop`` cuts its middle out.
    """

    width: int = Field(gt=0, le=4096)
    height: int = Field(gt=0, le=4096)
    fit: Literal["corner", "centre", "stretch", "crop"] = "corner"
    pad: int = Field(default=114, ge=0, le=255)
    colour: Literal["bgr", "rgb"] = "bgr"
    dtype: Literal["float32", "float16", "uint8"] = "float32"
    order: Literal["nchw", "nhwc"] = "nchw"
    divisor: float = Field(default=1.0, gt=0)
    mean: Three = (0.0, 0.0, 0.0)
    std: Three = (1.0, 1.0, 1.0)
