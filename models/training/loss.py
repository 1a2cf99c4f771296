"""How wrong the detector is: anchors are given to labels by score and overlap (task-aligned), as in YOLOv8."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .network import CLASSES, STRIDES

ANCHORS_PER_LABEL = 10


def anchors(side: int) -> Tensor:
    """Return the centres of all cells of a ``side`` x ``side`` picture, in the detector's order."""
    levels = []
    for stride in STRIDES:
        cells = torch.arange(side // stride)
        down, across = torch.meshgrid(cells, cells, indexing="ij")
        levels.append(((torch.stack([across, down], -1) + 0.5) * stride).reshape(-1, 2).float())
    return torch.cat(levels)


def loss(found: Tensor, labels: Sequence[Tensor], labelled: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of the classes and of the boxes; ``labelled``: batch x classes, 1 where the source labels it."""
    with torch.no_grad():
        given = [assign(one, truth, centres) for one, truth in zip(found, labels, strict=True)]
    wanted, boxes = torch.stack([scores for scores, _ in given]), torch.stack([box for _, box in given])
    logits, total = found[..., 4:], wanted.sum().clamp(min=1)
    # Varifocal: a background weighs what the network wrongly believes it to be, so hard negatives count most.
    weight = torch.where(wanted > 0, wanted, 0.75 * logits.detach().sigmoid().pow(2))
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    by_class = (entropy * weight * labelled[:, None]).sum() / total
    taken = wanted.sum(2) > 0
    apart = 1 - generous_overlap(found[taken][:, :4], boxes[taken])
    return by_class, (apart * wanted.sum(2)[taken]).sum() / total


def assign(found: Tensor, labels: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return for one picture what each anchor should say: scores by class, and its box."""
    scores, boxes = torch.zeros(len(found), CLASSES), torch.zeros(len(found), 4)
    if not len(labels):
        return scores, boxes
    kinds, truth = labels[:, 0].long(), labels[:, 1:]
    corners = torch.cat([centres[None] - truth[:, None, :2], truth[:, None, 2:] - centres[None]], 2)
    inside = corners.amin(2) > 0.5
    shared = overlap(found[None, :, :4], truth[:, None])
    fit = found[:, 4:].sigmoid()[:, kinds].T.pow(0.5) * shared.pow(4) * inside
    chosen = _one_label_each(_best(fit, inside, truth, centres), shared)
    taken = chosen.sum(0) > 0
    owner = chosen.argmax(0)[taken]
    quality = fit * chosen
    quality = quality / (quality.amax(1, keepdim=True) + 1e-9) * (shared * chosen).amax(1, keepdim=True)
    scores[taken, kinds[owner]] = quality.amax(0)[taken].clamp(min=0.05)
    boxes[taken] = truth[owner]
    return scores, boxes


def _best(fit: Tensor, inside: Tensor, truth: Tensor, centres: Tensor) -> Tensor:
    """Return labels x anchors: 1 where an anchor is among a label's best, or is the nearest if it has none."""
    best = fit.topk(min(ANCHORS_PER_LABEL, fit.shape[1]), 1).indices
    chosen = torch.zeros_like(fit).scatter_(1, best, 1.0) * inside * (fit > 1e-9)
    for row in torch.nonzero(chosen.sum(1) == 0).flatten().tolist():
        middle = (truth[row, :2] + truth[row, 2:]) / 2
        chosen[row, (centres - middle).pow(2).sum(1).argmin()] = 1
    return chosen


def _one_label_each(chosen: Tensor, shared: Tensor) -> Tensor:
    """Let an anchor that several labels chose go to the one it overlaps most."""
    twice = chosen.sum(0) > 1
    if not twice.any():
        return chosen
    best = (shared * chosen)[:, twice].argmax(0)
    chosen[:, twice] = 0
    chosen[best, torch.nonzero(twice).flatten()] = 1
    return chosen


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return intersection over union."""
    shared, union = _shared(a, b)
    return shared / union


def generous_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return GIoU: boxes that do not touch still learn in which direction to move."""
    shared, union = _shared(a, b)
    around = torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])
    hull = around.prod(-1) + 1e-7
    return shared / union - (hull - union) / hull


def _shared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    size = (torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2])).clamp(0)
    shared = size[..., 0] * size[..., 1]
    areas = [(it[..., 2] - it[..., 0]) * (it[..., 3] - it[..., 1]) for it in (a, b)]
    return shared, areas[0] + areas[1] - shared + 1e-7
