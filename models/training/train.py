"""Trains the detector: python -m training.train --help. --resume goes on after the last whole epoch."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from torch import Tensor

from .augment import Pool, augment
from .data import SOURCES, Example, training_part
from .loss import anchors, loss
from .network import Detector
from .run import Run, rate

FROZEN = [f"c{index}" for index in range(11)]
"""The first layers see edges and colours; a few thousand pictures would only spoil them."""
BODY_RATE, CLASS_RATE = 4e-4, 8e-4
BOX_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is made of; the same plan gives the same weights on the same machine."""

    epochs: int
    batch: int = 16
    side: int = 416
    seed: int = 0


def run_of(detector: Detector, plan: Plan, steps_per_epoch: int) -> Run:
    """Return a run at its beginning."""
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for name in FROZEN:
        detector.b.convs[name].requires_grad_(False)
    steps = plan.epochs * steps_per_epoch
    return Run(detector, _optimiser(detector), lambda step: rate(step, steps), gradient=10.0)


def learning(detector: Detector) -> None:
    """Set training mode; the frozen layers keep their BatchNorm's numbers too."""
    detector.train()
    for name in FROZEN:
        detector.b.convs[name].eval()


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


def train(run: Run, detector: Detector, pool: Pool, plan: Plan, out: Path) -> None:
    """Train to the plan's end, saving after every epoch."""
    began, cpu, centres = time.monotonic(), time.process_time(), anchors(plan.side)
    while run.epoch < plan.epochs:
        learning(detector)
        losses = []
        for pictures, labels, labelled in batches(pool, plan, run.epoch):
            by_class, by_box = loss(detector(pictures), labels, labelled, centres)
            run.learn(by_class + BOX_WEIGHT * by_box)
            losses.append((by_class.item(), by_box.item()))
        class_loss, box_loss = np.mean(losses, 0)
        run.epoch += 1
        run.save(out)
        took = f"wall {time.monotonic() - began:.0f} s cpu {time.process_time() - cpu:.0f} s"
        print(f"epoch {run.epoch}/{plan.epochs} class {class_loss:.3f} box {box_loss:.3f} {took}", flush=True)


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
    run = run_of(detector, plan, len(epoch_of(pool, Random())) // plan.batch)
    if asked.resume:
        run.restore(asked.out)
    print(f"pictures {len(examples)}, epochs done {run.epoch}", flush=True)
    train(run, detector, pool, plan, asked.out)


if __name__ == "__main__":
    main()
