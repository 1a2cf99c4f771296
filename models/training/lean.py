"""Rewrites the networks of a bundle so that the same answers cost less: python -m training.lean --bundle models/ppe

Only what is equal in exact arithmetic; in floats answers differ by rounding, which is measured and must stay below
its limit. Needs no torch. A network that was rewritten already stays as it is.

* YOLOX begins by cutting the picture into four (focus), then takes a 3x3 convolution: that is one of 6x6 with stride 2.
* Maxima over 5x5, 9x9 and 13x13 are maxima over 5x5, once, twice and three times.
* A 1x1 convolution of joined layers is the sum of one for each, so nothing need be joined; and where a layer was
  enlarged before, it is enlarged afterwards, at a quarter of the work.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .graph import assign, drop_unused, initializer, like, replace, side, sort, users, widths
from .quantise import listed

Floats = NDArray[np.float32]
MOST_APART = 0.01
"""Pixels, or score: float rounding, nothing more."""
MOST_TIPPED = 0.02
"""Score on average, in INT8: making it so moved scores by .035."""
SEEN = 0.25
"""The score from which a person is followed."""
_PROBE = 16
_POOLS = [5, 9, 13]


def lean(model: ModelProto) -> ModelProto:
    """Return the network rewritten; ValueError if it begins as no YOLOX does."""
    model = ModelProto.FromString(model.SerializeToString())
    _one_convolution(model)
    _pools_in_turn(model.graph)
    _sums_for_joints(model)
    drop_unused(model.graph)
    onnx.checker.check_model(model)
    return model


def _one_convolution(model: ModelProto) -> None:
    """Put one convolution of 6x6 in place of focus and 3x3."""
    graph, first = model.graph, next(node for node in model.graph.node if node.op_type == "Conv")
    if first.input[0] == graph.input[0].name:
        return
    weights = initializer(graph, first.input[1])
    small = numpy_helper.to_array(weights)
    large = np.zeros((len(small), 3, 6, 6), np.float32)
    for channel, (colour, down, right) in enumerate(_places(model, first.input[0])):
        large[:, colour, down::2, right::2] += small[:, channel]
    weights.CopyFrom(numpy_helper.from_array(large, weights.name))
    first.input[0] = graph.input[0].name
    assign(first, kernel_shape=[6, 6], pads=[2, 2, 2, 2], strides=[2, 2])


def _places(model: ModelProto, name: str) -> list[tuple[int, int, int]]:
    """Return for each channel of the focus which colour it holds, and of which pixel of each 2 x 2; it is tried."""
    before = ModelProto.FromString(model.SerializeToString())
    graph = before.graph
    del graph.output[:]
    graph.output.append(helper.make_empty_tensor_value_info(name))
    drop_unused(graph)
    for length in graph.input[0].type.tensor_type.shape.dim[2:]:
        length.dim_value = _PROBE
    picture = np.arange(3 * _PROBE**2, dtype=np.float32).reshape(1, 3, _PROBE, _PROBE)
    (found,) = ReferenceEvaluator(before).run(None, {graph.input[0].name: picture})
    parts = {
        (colour, down, right): picture[0, colour, down::2, right::2]
        for colour in range(3)
        for down in range(2)
        for right in range(2)
    }
    places = [place for channel in found[0] for place, part in parts.items() if np.array_equal(channel, part)]
    if len(places) != len(parts) or len(set(places)) != len(parts):
        raise ValueError("the network does not begin with a focus; its input must be the picture, whole")
    return places


def _pools_in_turn(graph: GraphProto) -> None:
    groups: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        if node.op_type == "MaxPool":
            groups.setdefault(node.input[0], []).append(node)
    for pools in groups.values():
        pools.sort(key=side)
        direct = all(user.op_type == "Concat" for pool in pools for user in users(graph, pool.output[0]))
        if [side(pool) for pool in pools] == _POOLS and direct:
            for before, pool in pairwise(pools):
                pool.input[0] = before.output[0]
                assign(pool, kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    sort(graph)


def _sums_for_joints(model: ModelProto) -> None:
    """Put sums of convolutions in place of one that looks at joined layers."""
    graph, wide = model.graph, widths(model)
    for joint in [node for node in graph.node if node.op_type == "Concat"]:
        eyes = users(graph, joint.output[0])
        if eyes and all(_is_pointwise(graph, eye) for eye in eyes):
            for eye in eyes:
                replace(graph, eye, _summed(graph, joint, eye, wide))


def _summed(graph: GraphProto, joint: NodeProto, user: NodeProto, wide: dict[str, int]) -> list[NodeProto]:
    """Return what gives the same as ``user``, which looks at what ``joint`` joins."""
    makers = {output: node for node in graph.node for output in node.output}
    weights = numpy_helper.to_array(initializer(graph, user.input[1]))
    nodes, total, at = list[NodeProto](), "", 0
    for number, layer in enumerate(joint.input):
        last = number == len(joint.input) - 1
        part, name = f"{user.input[1]}.{number}", f"{user.output[0]}.{number}"
        values = np.ascontiguousarray(weights[:, at : at + wide[layer]])
        graph.initializer.append(numpy_helper.from_array(values, part))
        at += wide[layer]
        maker = makers.get(layer)
        enlarged = maker if maker is not None and maker.op_type == "Resize" else None
        source = enlarged.input[0] if enlarged else layer
        bias = list(user.input[2:]) if last else []
        nodes.append(like(user, [source, part, *bias], name))
        if enlarged:
            nodes.append(like(enlarged, [name, *enlarged.input[1:]], name := f"{name}.large"))
        if total:
            sum_name = user.output[0] if last else f"{name}.sum"
            nodes.append(helper.make_node("Add", [total, name], [sum_name], name=sum_name))
            name = sum_name
        total = name
    return nodes


def _is_pointwise(graph: GraphProto, node: NodeProto) -> bool:
    """Tell whether it is a 1x1 convolution whose weights are written down."""
    shapes = [item.dims for item in graph.initializer if node.op_type == "Conv" and item.name == node.input[1]]
    return bool(shapes) and list(shapes[0][2:]) == [1, 1]


def apart(before: ModelProto, after: ModelProto, pictures: Iterable[Floats]) -> float:
    """Return by how much the answers of two networks differ at most; in INT8, the scores of what they see on average.

    There rounding tips a value to the next of 256 steps now and then, as another processor does too.
    """
    sessions = [
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        for model in (before, after)
    ]
    name = before.graph.input[0].name
    told = [[session.run(None, {name: picture}) for session in sessions] for picture in pictures]
    if _is_quantised(before):
        seen = [(one[0][0, :, 4], other[0][0, :, 4]) for one, other in told]
        return float(np.concatenate([np.abs(one - other)[one >= SEEN] for one, other in seen]).mean())
    return max(float(np.abs(one - other).max()) for pair in told for one, other in zip(*pair, strict=True))


def _is_quantised(model: ModelProto) -> bool:
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def shown(folder: Path, model: ModelProto) -> list[Floats]:
    """Return the folder's pictures and one of noise, stretched to the network's input."""
    height, width = (length.dim_value for length in model.graph.input[0].type.tensor_type.shape.dim[2:])
    found = [cv2.imread(str(path)) for path in sorted(folder.glob("*.jpg"))]
    sized = [cv2.resize(picture, (width, height)) for picture in found if picture is not None]
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return [np.ascontiguousarray(each.transpose(2, 0, 1)[None], np.float32) for each in (*sized, noise)]


def main() -> None:
    """Rewrite the bundle's networks, and say their hashes in its manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, help="its golden pictures show that answers stay")
    asked = parser.parse_args()
    manifest = asked.bundle / "manifest.yaml"
    text = manifest.read_text(encoding="utf-8")
    for path in sorted(asked.bundle.glob("*.onnx")):
        before = onnx.load(path)
        after = lean(before)
        differ = apart(before, after, shown(asked.bundle / "golden", before))
        if differ > (MOST_TIPPED if _is_quantised(before) else MOST_APART):
            raise ValueError(f"{path} would say something else: {differ}")
        onnx.save(after, path)
        text = listed(text, path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        print(f"{path}: at most {differ:.5f} apart")
    manifest.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
