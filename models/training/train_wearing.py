"""Trains the classifier: python -m training.train_wearing --help. --resume goes on after the last whole epoch."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .network import Wearing
from .persons import Person, crop_of, epoch_of, training_persons
from .run import Run, rate

BODY_RATE, HEAD_RATE = 3e-4, 6e-4
BATCH = 48
SMOOTH = 0.02
"""Labels are not always right: worn is .98, missing .02."""
BARE_WEIGHT = 1.2
"""A bare head that is not told is worse than a helmet called missing."""
Batch = tuple[Tensor, Tensor]


def batches(persons: Sequence[Person], seed: int, epoch: int) -> Iterator[Batch]:
    """Yield crops and what is worn: 1, 0, or -1 where the labels say nothing. The same numbers, the same batches."""
    rng = Random(f"{seed}/{epoch}")
    chosen = epoch_of(persons, rng)
    for start in range(0, len(chosen) - BATCH + 1, BATCH):
        some = chosen[start : start + BATCH]
        crops = np.stack([crop_of(person, rng).transpose(2, 0, 1) for person in some])
        worn = [[_number(person.helmet), _number(person.vest)] for person in some]
        yield torch.from_numpy(crops).float(), torch.tensor(worn)


def _number(worn: bool | None) -> float:
    return -1.0 if worn is None else float(worn)


def loss(logits: Tensor, worn: Tensor) -> Tensor:
    """Return the cross-entropy over what is labelled."""
    known = (worn >= 0).float()
    weights = known * torch.where(worn == 0, BARE_WEIGHT, 1.0)
    wanted = worn.clamp(min=0) * (1 - 2 * SMOOTH) + SMOOTH
    by_one = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (by_one * weights).sum() / known.sum().clamp(min=1)


def optimiser_of(network: Wearing) -> torch.optim.Optimizer:
    """Return AdamW; what looks at features learns faster than the features."""
    body = {id(parameter) for parameter in network.b.parameters()}
    heads = [parameter for parameter in network.parameters() if id(parameter) not in body]
    groups = [{"params": list(network.b.parameters()), "lr": BODY_RATE}, {"params": heads, "lr": HEAD_RATE}]
    return torch.optim.AdamW(groups, weight_decay=1e-2)


def train(run: Run, persons: Sequence[Person], asked: argparse.Namespace) -> None:
    """Train to the last epoch, saving after each."""
    cpu = time.process_time()
    while run.epoch < asked.epochs:
        run.network.train()
        losses = [
            run.learn(loss(run.network(crops)[0], worn)) for crops, worn in batches(persons, asked.seed, run.epoch)
        ]
        run.epoch += 1
        run.save(asked.out)
        spent = time.process_time() - cpu
        print(f"epoch {run.epoch}/{asked.epochs} loss {np.mean(losses):.4f} cpu {spent:.0f} s", flush=True)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description="Trains the classifier of helmet and vest.")
    parser.add_argument("--persons", type=Path, required=True, help="what python -m tools.labels wrote")
    parser.add_argument("--start", type=Path, required=True, help="yolox_nano.onnx: the network's shape")
    parser.add_argument("--weights", type=Path, required=True, help="the state to start from")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go; the rest of the state beside it")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from --out; the other arguments as before")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)  # weights near nothing would slow every step down
    torch.manual_seed(asked.seed)
    persons = training_persons(asked.persons)
    network = Wearing(asked.start)
    network.load_state_dict(torch.load(asked.weights, weights_only=True))
    steps = asked.epochs * (len(epoch_of(persons, Random())) // BATCH)
    run = Run(network, optimiser_of(network), lambda step: rate(step, steps), gradient=5.0)
    if asked.resume:
        run.restore(asked.out)
    print(f"persons {len(persons)}, epochs done {run.epoch}", flush=True)
    train(run, persons, asked)


if __name__ == "__main__":
    main()
