"""YOLOX-nano from its ONNX, as a network that learns: BatchNorm is put back, heads are ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 5
STRIDES = (8, 16, 32)
NEAR, FAR = "956", "990"
"""The start weights' features of stride 8 and 16 that the classifier looks at."""


class Normed(nn.Module):
    """A convolution with BatchNorm; the start weights have it folded away, and folded they hardly learn."""

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__()
        self.c = nn.Conv2d(
            like.in_channels,
            like.out_channels,
            like.kernel_size,  # type: ignore[arg-type]
            like.stride,  # type: ignore[arg-type]
            like.padding,  # type: ignore[arg-type]
            groups=like.groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(like.out_channels, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normed convolution."""
        result: Tensor = self.bn(self.c(x))
        return result


class Body(nn.Module):
    """The nodes of the start network, run one by one; the focus slices at its start are one step."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        graph = onnx.load(str(start)).graph
        weights = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self.convs = nn.ModuleDict()
        self.steps: list[tuple[str, list[str], str, Any]] = []
        self.heads: dict[str, tuple[str, str]] = {}
        for node in graph.node:
            if node.op_type == "Reshape":
                break
            if node.op_type != "Slice":
                self._add(node, weights)

    def _add(self, node: onnx.NodeProto, weights: Mapping[str, Any]) -> None:
        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        more: Any = None
        if node.op_type == "Conv":
            more = f"c{len(self.convs)}"
            self.convs[more] = _conv(weights[node.input[1]], weights[node.input[2]], options)
            if node.input[1].startswith("head."):
                self.heads[node.input[1].removesuffix(".weight")] = (more, node.output[0])
        elif node.op_type == "MaxPool":
            more = options["kernel_shape"][0]
        kind = node.op_type if self.steps else "Focus"
        self.steps.append((kind, list(node.input[:1] if more else node.input), node.output[0], more))

    def norm(self, but: set[str]) -> None:
        """Give every convolution but these its BatchNorm back; its numbers come from a state that was trained so."""
        for name, conv in list(self.convs.items()):
            if name not in but:
                self.convs[name] = Normed(conv)  # type: ignore[arg-type]

    def keep(self, outputs: set[str]) -> None:
        """Drop every step that none of ``outputs`` needs."""
        needed, kept = set(outputs), []
        for step in reversed(self.steps):
            if step[2] in needed:
                needed |= set(step[1])
                kept.append(step)
        self.steps = kept[::-1]
        for name in set(self.convs) - {str(step[3]) for step in kept}:
            del self.convs[name]

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return what every step gives, by the start network's names."""
        known: dict[str, Tensor] = {}
        for kind, sources, output, more in self.steps:
            known[output] = self._run(
                kind, [x] if kind == "Focus" else [known[name] for name in sources if name in known], more
            )
        return known

    def _run(self, kind: str, x: list[Tensor], more: Any) -> Tensor:
        if kind == "Conv":
            result: Tensor = self.convs[more](x[0])
            return result
        if kind == "MaxPool":
            return functional.max_pool2d(x[0], more, 1, more // 2)
        return _PLAIN[kind](x)


def _conv(weight: Any, bias: Any, options: Mapping[str, Any]) -> nn.Conv2d:
    groups = options["group"]
    conv = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        weight.shape[2:],
        options.get("strides", [1, 1]),
        options["pads"][:2],
        groups=groups,
    )
    conv.weight.data, conv.bias.data = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())  # type: ignore[union-attr]
    return conv


def _focus(x: list[Tensor]) -> Tensor:
    corners = [x[0][..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return torch.cat(corners, 1)


_PLAIN: Mapping[str, Callable[[list[Tensor]], Tensor]] = {
    "Focus": _focus,
    "Sigmoid": lambda x: torch.sigmoid(x[0]),
    "Mul": lambda x: x[0] * x[1],
    "Add": lambda x: x[0] + x[1],
    "Concat": lambda x: torch.cat(x, 1),
    "Resize": lambda x: functional.interpolate(x[0], scale_factor=2.0, mode="nearest"),
}


class Detector(nn.Module):
    """Person, helmet, no helmet, vest, no vest; no objectness: a score is sigmoid(class)."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        self.b = Body(start)
        heads = self.b.heads
        self._taps = [(heads[f"head.cls_preds.{i}"], heads[f"head.reg_preds.{i}"]) for i in range(len(STRIDES))]
        self.class_heads = [name for (name, _), _ in self._taps]
        for name in self.class_heads:
            old = self.b.convs[name]
            self.b.convs[name] = nn.Conv2d(old.in_channels, CLASSES, 1)  # type: ignore[arg-type]
        self.b.norm({name for tap in self._taps for name, _ in tap})
        self.b.keep({output for tap in self._taps for _, output in tap})

    def forward(self, x: Tensor) -> Tensor:
        """Return batch x anchors x (left, top, right, bottom in pixels, class logits)."""
        known = self.b(x)
        levels = [
            _boxes(known[box], known[scores], stride)
            for stride, ((_, scores), (_, box)) in zip(STRIDES, self._taps, strict=True)
        ]
        return torch.cat(levels, 2).transpose(1, 2)


def _boxes(box: Tensor, scores: Tensor, stride: int) -> Tensor:
    height, width = int(box.shape[2]), int(box.shape[3])
    down, across = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = (box[:, :2] + torch.stack([across, down])[None].float()) * stride
    size = torch.exp(box[:, 2:4].clamp(max=8)) * stride
    return torch.cat([centre - size / 2, centre + size / 2, scores], 1).flatten(2)


class Scored(nn.Module):
    """What is exported of a detector: layout ``boxes_corners``."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self._detector = detector

    def forward(self, x: Tensor) -> Tensor:
        """Return boxes and scores 0..1."""
        found = self._detector(x)
        return torch.cat([found[..., :4], found[..., 4:].sigmoid()], 2)


class Wearing(nn.Module):
    """Helmet and vest on a person's crop, each with a map of where it looked."""

    def __init__(self, start: Path) -> None:
        super().__init__()
        self.b = Body(start)
        self.b.norm(set())
        self.b.keep({NEAR, FAR})
        self.r, self.att = nn.Conv2d(192, 64, 1), nn.Conv2d(64, 2, 1)
        self.g, self.fh, self.fv = nn.Linear(128, 32), nn.Linear(96, 1), nn.Linear(96, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits batch x 2 (helmet, vest) and the maps batch x 2 x cells, before softmax."""
        known = self.b(x)
        wide = functional.interpolate(known[FAR], scale_factor=2.0, mode="nearest")
        features = functional.silu(self.r(torch.cat([known[NEAR], wide], 1)))
        looks = self.att(features).flatten(2)
        looked = torch.matmul(torch.softmax(looks, 2), features.flatten(2).transpose(1, 2))
        whole = functional.silu(self.g(known[FAR].mean((2, 3))))
        helmet = self.fh(torch.cat([looked[:, 0], whole], 1))
        return torch.cat([helmet, self.fv(torch.cat([looked[:, 1], whole], 1))], 1), looks
