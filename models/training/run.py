"""A network in training, with everything that is needed to go on after a stop; and the learning rate's course."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

WARM_UP, LOWEST = 80, 0.03
EMA = 0.998


class Run:
    """Takes steps, and keeps an average of the weights, which is what is shipped: single steps are noisy."""

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, rate_at: Callable[[int], float], gradient: float
    ) -> None:
        self.network, self.optimiser, self._gradient = network, optimiser, gradient
        self.average = copy.deepcopy(network)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate_at)
        self.epoch = self.step = 0

    def learn(self, loss: Tensor) -> float:
        """Take one step down the loss. Return it."""
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), self._gradient)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._follow()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average; closely at first."""
        share = min(EMA, (1 + self.step) / (10 + self.step))
        for slow, fast in zip(self.average.parameters(), self.network.parameters(), strict=True):
            slow.mul_(share).add_(fast, alpha=1 - share)
        for kept, now in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(now)

    def save(self, out: Path) -> None:
        """Write the average to ``out`` and the rest beside it, each in one move: a stop never leaves half a file."""
        rest = {
            "model": self.network.state_dict(),
            "opt": self.optimiser.state_dict(),
            "sch": self.schedule.state_dict(),
            "ep": self.epoch - 1,
            "it": self.step,
        }
        for path, state in ((out, self.average.state_dict()), (_beside(out), rest)):
            part = path.with_name(path.name + ".part")
            torch.save(state, part)
            part.replace(path)

    def restore(self, out: Path) -> None:
        """Go on where ``save`` left off."""
        rest = torch.load(_beside(out), weights_only=True)
        self.average.load_state_dict(torch.load(out, weights_only=True))
        self.network.load_state_dict(rest["model"])
        self.optimiser.load_state_dict(rest["opt"])
        self.schedule.load_state_dict(rest["sch"])
        self.epoch, self.step = rest["ep"] + 1, rest["it"]


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".resume")


def rate(step: int, steps: int) -> float:
    """Return the learning rate's factor: a short warm-up, then half a cosine down to ``LOWEST``, step by step."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))
    return min(1, (step + 1) / WARM_UP) * (cosine * (1 - LOWEST) + LOWEST)
