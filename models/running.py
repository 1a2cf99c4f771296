"""Runs a network so that it can neither hang its process nor hand out nonsense. Worker and short processes only."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as states

Array = npt.NDArray[Any]
_KINDS = [kind for kind in vars(states).values() if isinstance(kind, type) and issubclass(kind, Exception)]
RUNTIME_ERRORS: tuple[type[Exception], ...] = (RuntimeError, *_KINDS)
"""What the runtime raises: classes of its own, which have nothing in common but Exception."""
LIMIT_S = 5.0
_POLL_S = 0.25


class ModelFault(Exception):  # noqa: N818 - a state: the camera is blind, and says why
    """A network gave no answer that means anything: it took too long, or gave no numbers, or another shape."""


class Network:
    """A session with a deadline; see ModelFault. Not for use from several threads at once.

    ``outputs`` is how many of its outputs are wanted, the first ones; without it all.
    """

    def __init__(self, session: Any, name: str, limit_s: float = LIMIT_S, outputs: int | None = None) -> None:
        self.session, self.name, self._limit_s = session, name, limit_s
        self._outputs = [output.name for output in session.get_outputs()][:outputs]
        self.inputs = [(port.name, port.shape, port.type) for port in session.get_inputs()]
        self._run: tuple[float, Any] | None = None
        threading.Thread(target=self._watch, name=f"deadline {name}", daemon=True).start()

    def __call__(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Return the outputs. Raises ModelFault."""
        options = ort.RunOptions()
        self._run = (time.monotonic() + self._limit_s, options)
        try:
            outputs = self.session.run(self._outputs, feeds, options)
        except RUNTIME_ERRORS as error:
            if options.terminate:
                raise ModelFault(f"{self.name} took longer than {self._limit_s:g} s on one picture") from error
            raise ModelFault(f"{self.name} failed: {error}") from error
        finally:
            self._run = None
        return [self._sound(output) for output in outputs]

    def _sound(self, output: Any) -> Array:
        if not isinstance(output, np.ndarray):
            raise ModelFault(f"{self.name} gave a {type(output).__name__}, not numbers")
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            raise ModelFault(f"{self.name} gave values that are no numbers (NaN or infinite)")
        return output.astype(np.float32) if output.dtype == np.float16 else output

    def _watch(self) -> None:
        """End what takes too long. Polls: waking it for every run would cost more than a small network does."""
        while True:
            time.sleep(min(_POLL_S, self._limit_s / 4))
            run = self._run
            if run is not None and time.monotonic() > run[0]:
                run[1].terminate = True
