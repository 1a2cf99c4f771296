"""Small changes to ONNX graphs, in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference


def widths(model: ModelProto) -> dict[str, int]:
    """Return how many channels each layer has."""
    known = shape_inference.infer_shapes(model).graph.value_info
    shapes = {item.name: item.type.tensor_type.shape.dim for item in known}
    return {name: shape[1].dim_value for name, shape in shapes.items() if len(shape) > 1}


def like(node: NodeProto, inputs: Sequence[str], output: str) -> NodeProto:
    """Return a node of the same kind that takes other inputs."""
    copy = helper.make_node(node.op_type, inputs, [output], name=output)
    copy.attribute.extend(node.attribute)
    return copy


def replace(graph: GraphProto, old: NodeProto, new: Iterable[NodeProto]) -> None:
    """Put nodes in the place of one."""
    nodes = list(graph.node)
    at = nodes.index(old)
    nodes[at : at + 1] = new
    put(graph, nodes)


def sort(graph: GraphProto) -> None:
    """Put each node behind those whose outputs it takes."""
    left, ready, done = list(graph.node), list[NodeProto](), {output for node in graph.node for output in node.output}
    while left:
        for node in [node for node in left if not done.intersection(node.input)]:
            left.remove(node)
            ready.append(node)
            done.difference_update(node.output)
    put(graph, ready)


def put(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Make these the nodes of a graph."""
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def drop_unused(graph: GraphProto) -> None:
    """Drop what no output needs."""
    used = {output.name for output in graph.output}
    kept = list[NodeProto]()
    for node in reversed(graph.node):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    put(graph, kept[::-1])
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)


def users(graph: GraphProto, name: str) -> list[NodeProto]:
    """Return the nodes that take an output."""
    return [node for node in graph.node if name in node.input]


def initializer(graph: GraphProto, name: str) -> TensorProto:
    """Return the weights of a name."""
    return next(item for item in graph.initializer if item.name == name)


def side(pool: NodeProto) -> int:
    """Return the side of its kernel."""
    return int(next(item.ints[0] for item in pool.attribute if item.name == "kernel_shape"))


def assign(node: NodeProto, **values: list[int]) -> None:
    """Set attributes that it has."""
    for item in node.attribute:
        if item.name in values:
            item.ints[:] = values[item.name]
