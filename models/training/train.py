"""Trains the detector: python -m training.train --help. --resume goes on after the last whole epoch."""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from .augment import Pool, augment
from .data import SOURCES, Example, training_part
from .loss import anchors, loss
from .network import Detector

FROZEN = [f"c{index}" for index in range(11)]
"""The first layers see edges and colours; a few thousand pictures would only spoil them."""
BODY_RATE, CLASS_RATE = 4e-4, 8e-4
WARM_UP, LOWEST = 80, 0.03
BOX_WEIGHT = 2.0
EMA = 0.998


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of; the same plan gives the same weights on the same machine."""

    epochs: int
    batch: int = 16
    side: int = 416
    seed: int = 0


class Run:
    """A detector in training, with everything needed to go on after a stop."""

    def __init__(self, detector: Detector, plan: Plan, steps_per_epoch: int) -> None:
        self.detector = detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name in FROZEN:
            detector.b.convs[name].requires_grad_(False)
        self.average = copy.deepcopy(detector)
        self.optimiser = _optimiser(detector)
        steps = plan.epochs * steps_per_epoch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, lambda step: rate(step, steps))
        self.centres = anchors(plan.side)
        self.epoch = self.step = 0

    def learn(self, pictures: Tensor, labels: Sequence[Tensor], labelled: Tensor) -> tuple[float, float]:
        """Take one step. Return the losses before it."""
        by_class, by_box = loss(self.detector(pictures), labels, labelled, self.centres)
        self.optimiser.zero_grad()
        (by_class + BOX_WEIGHT * by_box).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.detector.parameters(), 10.0)
        self.optimiser.step()
        self.schedule.step()
        self.step += 1
        self._follow()
        return by_class.item(), by_box.item()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average, which is what is shipped: single steps are noisy. It follows closely at first."""
        share = min(EMA, (1 + self.step) / (10 + self.step))
        for slow, fast in zip(self.average.parameters(), self.detector.parameters(), strict=True):
            slow.mul_(share).add_(fast, alpha=1 - share)
        for kept, now in zip(self.average.buffers(), self.detector.buffers(), strict=True):
            kept.copy_(now)

    def train(self) -> None:
        """Set training mode; the frozen layers keep their BatchNorm's numbers too."""
        self.detector.train()
        for name in FROZEN:
            self.detector.b.convs[name].eval()

    def save(self, out: Path) -> None:
        """Write the average to ``out`` and the rest beside it, each in one move: a stop never leaves half a file."""
        rest = {
            "model": self.detector.state_dict(),
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
        """Go on where ``save`` left off. The plan has to be the same, or the schedule is another one."""
        rest = torch.load(_beside(out), weights_only=True)
        self.average.load_state_dict(torch.load(out, weights_only=True))
        self.detector.load_state_dict(rest["model"])
        self.optimiser.load_state_dict(rest["opt"])
        self.schedule.load_state_dict(rest["sch"])
        self.epoch, self.step = rest["ep"] + 1, rest["it"]


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".resume")


def rate(step: int, steps: int) -> float:
    """Return the learning rate's factor: a short warm-up, then half a cosine down to ``LOWEST``, step by step."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1, step / steps)))
    return min(1, (step + 1) / WARM_UP) * (cosine * (1 - LOWEST) + LOWEST)


def _optimiser(detector: Detector) -> torch.optim.Optimizer:
    heads = [parameter for name in detector.class_heads for parameter in detector.b.convs[name].parameters()]
    known = {id(parameter) for parameter in heads}
    body = [it for it in detector.parameters() if it.requires_grad and id(it) not in known]
    groups = [{"params": body, "lr": BODY_RATE}, {"params": heads, "lr": CLASS_RATE}]
    return torch.optim.AdamW(groups, weight_decay=1e-2)


def epoch_of(pool: Pool, rng: Random) -> list[Example]:
    """Return half of css, another half each time, and all of iaesp: css holds up to three pictures of each scene."""
    chosen = [*rng.sample(list(pool["css"]), len(pool["css"]) // 2), *pool["iaesp"]]
    rng.shuffle(chosen)
    return chosen


def batches(pool: Pool, plan: Plan, epoch: int) -> Iterator[tuple[Tensor, list[Tensor], Tensor]]:
    """Yield an epoch's batches. Its random numbers depend on its number only, so a resumed run is the same run."""
    rng = Random(f"{plan.seed}/{epoch}")
    examples = epoch_of(pool, rng)
    for start in range(0, len(examples) - plan.batch + 1, plan.batch):
        chosen = examples[start : start + plan.batch]
        made = [augment(example, pool, plan.side, rng) for example in chosen]
        pictures = torch.from_numpy(np.stack([pixels.transpose(2, 0, 1) for pixels, _ in made])).float()
        labelled = torch.tensor([SOURCES[example.source].labelled for example in chosen]).float()
        labels = [torch.from_numpy(rows.astype(np.float32)) for _, rows in made]
        yield pictures.contiguous(memory_format=torch.channels_last), labels, labelled


def train(run: Run, pool: Pool, plan: Plan, out: Path) -> None:
    """Train to the plan's end, saving after every epoch."""
    began, cpu = time.monotonic(), time.process_time()
    while run.epoch < plan.epochs:
        run.train()
        losses = [run.learn(*batch) for batch in batches(pool, plan, run.epoch)]
        by_class, by_box = np.mean(losses, 0)
        run.epoch += 1
        run.save(out)
        took = f"wall {time.monotonic() - began:.0f} s cpu {time.process_time() - cpu:.0f} s"
        print(f"epoch {run.epoch}/{plan.epochs} class {by_class:.3f} box {by_box:.3f} {took}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains the detector.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with data/split.json")
    parser.add_argument("--start", type=Path, required=True, help="yolox_nano.onnx: the network's shape")
    parser.add_argument("--weights", type=Path, required=True, help="the state to start from")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go; the rest of the state beside it")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on from --out; the other arguments as before")
    return parser.parse_args()


def main() -> None:
    """Read the arguments and train."""
    asked = _arguments()
    torch.set_num_threads(asked.threads)
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)  # weights near nothing would slow every step down
    torch.manual_seed(asked.seed)
    examples = training_part(asked.data)
    pool = {source: [it for it in examples if it.source == source] for source in SOURCES}
    detector = Detector(asked.start)
    detector.load_state_dict(torch.load(asked.weights, weights_only=True))
    plan = Plan(asked.epochs, seed=asked.seed)
    run = Run(detector, plan, len(epoch_of(pool, Random())) // plan.batch)
    if asked.resume:
        run.restore(asked.out)
    print(f"pictures {len(examples)}, epochs done {run.epoch}", flush=True)
    train(run, pool, plan, asked.out)


if __name__ == "__main__":
    main()
