"""Small ONNX files made by hand, byte by byte: sound ones of each layout, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FLOAT, INT64, UINT8, HALF = 1, 7, 2, 10
_TYPES = {FLOAT: np.float32, INT64: np.int64, UINT8: np.uint8, HALF: np.float16}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: np.ndarray, extra: bytes = b"") -> bytes:
    kind = next(kind for kind, dtype in _TYPES.items() if dtype == values.dtype)
    dims = b"".join(field(1, size) for size in values.shape)
    return dims + field(2, kind) + field(8, name) + field(9, values.tobytes()) + extra


def port(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(field(1, field(2, size) if isinstance(size, str) else field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def node(kind: str, inputs: Sequence[str], outputs: Sequence[str], extra: bytes = b"", domain: str = "") -> bytes:
    names = b"".join(field(1, name) for name in inputs) + b"".join(field(2, name) for name in outputs)
    return names + field(4, kind) + extra + (field(7, domain) if domain else b"")


def integer(name: str, value: int) -> bytes:
    return field(5, field(1, name) + field(3, value) + field(20, 2))


def graph(
    nodes: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], weights: Sequence[bytes] = ()
) -> bytes:
    parts = [*(field(1, item) for item in nodes), field(2, "g"), *(field(5, item) for item in weights)]
    return b"".join([*parts, *(field(11, item) for item in inputs), *(field(12, item) for item in outputs)])


def model(
    body: bytes, metadata: dict[str, str] | None = None, opset: int = 17, ir: int = 8, domains: Sequence[str] = ()
) -> bytes:
    sets = field(8, field(2, opset)) + b"".join(field(8, field(1, name) + field(2, 1)) for name in domains)
    told = b"".join(field(14, field(1, key) + field(2, value)) for key, value in (metadata or {}).items())
    return field(1, ir) + field(7, body) + sets + told


def constant(
    path: Path,
    answers: Sequence[np.ndarray],
    size: tuple[int, int] = (64, 64),
    metadata: dict[str, str] | None = None,
    inputs: int = 1,
    dtype: int = FLOAT,
) -> Path:
    """Write a network that takes a picture of ``size`` (width, height) and always gives ``answers``.

    The picture's sum, times nothing, is added, so that no optimiser may leave the input out.
    """
    width, height = size
    weights = [tensor("nothing", np.zeros((), np.float32)), *(tensor(f"a{i}", item) for i, item in enumerate(answers))]
    nodes = [
        node("Cast", ["x"], ["f"], integer("to", FLOAT)),
        node("ReduceMin", ["f"], ["s"], integer("keepdims", 0)),
        node("Mul", ["s", "nothing"], ["z"]),
    ]
    outputs = []
    for i, item in enumerate(answers):
        kind = INT64 if item.dtype == np.int64 else FLOAT
        nodes.append(node("Cast", ["z"], [f"z{i}"], integer("to", kind)))
        nodes.append(node("Add", [f"a{i}", f"z{i}"], [f"o{i}"]))
        outputs.append(port(f"o{i}", kind, item.shape))
    ports = [port("x", dtype, (1, 3, height, width))]
    ports += [port("size", INT64, (1, 2))] * (inputs - 1)
    path.write_bytes(model(graph(nodes, ports, outputs, weights), metadata))
    return path
