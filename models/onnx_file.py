"""Reads what matters of an ONNX file without loading it: a bounded reader of the protobuf wire format.

Every occurrence of a field counts, also where the format allows one only: a loader may merge what we would skip.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MOST_BYTES = 200 * 1024 * 1024
MOST_PARTS = 400_000
DEEPEST = 12
_LONGEST_TEXT = 64 * 1024
_EXTERNAL = 1

Part = tuple[int, int | memoryview]


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as the file declares it; a size that is not fixed is None."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(slots=True)
class OnnxFile:
    """What a file says of itself. ``operators`` are (domain, type), also those of its functions and subgraphs."""

    ir: int = 0
    opsets: dict[str, int] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    operators: set[tuple[str, str]] = field(default_factory=set)
    external: list[str] = field(default_factory=list)
    """Names of tensors whose data lie outside the file."""


def read_onnx(path: Path) -> OnnxFile:
    """Read a file's structure. Raises ValueError, in words, when it is no such file or too large."""
    try:
        size = path.stat().st_size if path.is_file() else 0
        if not size:
            raise ValueError("is empty, or not a file")
        if size > MOST_BYTES:
            raise ValueError(f"has {size / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are taken")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader().model(data)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


class _Reader:
    """Walks one file and counts, so that a file of a million tiny parts cannot keep it busy."""

    def __init__(self) -> None:
        self._left = MOST_PARTS
        self._found = OnnxFile()
        self._initialized: set[str] = set()

    def model(self, data: mmap.mmap) -> OnnxFile:
        """Read a ModelProto."""
        with memoryview(data) as whole:
            self._model(whole)
        found = self._found
        found.inputs = [port for port in found.inputs if port.name not in self._initialized]
        if not found.outputs or not found.opsets:
            raise ValueError("is not an ONNX model: it names no output or no operator set")
        return found

    def _model(self, data: memoryview) -> None:
        for number, value in self._parts(data):
            if number == 1 and isinstance(value, int):
                self._found.ir = max(self._found.ir, value)
            elif isinstance(value, memoryview):
                with value:
                    self._model_part(number, value)

    def _model_part(self, number: int, value: memoryview) -> None:
        if number == 7:
            self._graph(value, 0)
        elif number == 8:
            self._opset(value)
        elif number == 14:
            self._metadata(value)
        elif number == 20:
            self._found.operators.add(("ai.onnx.training", "training_info"))
        elif number == 25:
            self._function(value)

    def _graph(self, data: memoryview, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"nests graphs more than {DEEPEST} deep")
        for number, value in self._blocks(data):
            with value:
                self._graph_part(number, value, depth)

    def _graph_part(self, number: int, value: memoryview, depth: int) -> None:
        if number == 1:
            self._node(value, depth)
        elif number == 5:
            self._tensor(value, initial=True)
        elif number == 15:
            self._sparse(value)
        elif depth == 0 and number in (11, 12):
            (self._found.inputs if number == 11 else self._found.outputs).append(self._port(value))

    def _node(self, data: memoryview, depth: int) -> None:
        kind = domain = ""
        for number, value in self._blocks(data):
            with value:
                if number == 4:
                    kind = _text(value)
                elif number == 7:
                    domain = _text(value)
                elif number == 5:
                    self._attribute(value, depth)
        self._found.operators.add(("" if domain == "ai.onnx" else domain, kind))

    def _attribute(self, data: memoryview, depth: int) -> None:
        for number, value in self._blocks(data):
            with value:
                if number in (5, 10):
                    self._tensor(value)
                elif number in (6, 11):
                    self._found.operators.add(("", "a graph within an operator"))
                    self._graph(value, depth + 1)
                elif number in (22, 23):
                    self._sparse(value)

    def _sparse(self, data: memoryview) -> None:
        for number, value in self._blocks(data):
            with value:
                if number in (1, 2):
                    self._tensor(value, initial=True)

    def _tensor(self, data: memoryview, *, initial: bool = False) -> None:
        name, external = "", False
        for number, value in self._parts(data):
            if isinstance(value, int):
                external |= number == 14 and value == _EXTERNAL
                continue
            with value:
                external |= number == 13
                name = _text(value) if number == 8 else name
        if external:
            self._found.external.append(name)
        if initial:
            self._initialized.add(name)

    def _function(self, data: memoryview) -> None:
        for number, value in self._blocks(data):
            with value:
                if number == 7:
                    self._node(value, 0)
                elif number == 9:
                    self._opset(value)
                elif number == 11:
                    self._attribute(value, 0)

    def _opset(self, data: memoryview) -> None:
        domain, version = "", 0
        for number, value in self._parts(data):
            if isinstance(value, int):
                version = value if number == 2 else version
            else:
                domain = _text(value) if number == 1 else domain
        domain = "" if domain == "ai.onnx" else domain
        self._found.opsets[domain] = max(version, self._found.opsets.get(domain, 0))

    def _metadata(self, data: memoryview) -> None:
        entry = {number: _text(value) for number, value in self._blocks(data)}
        self._found.metadata[entry.get(1, "")] = entry.get(2, "")

    def _port(self, data: memoryview) -> Port:
        name = ""
        shape: tuple[int | None, ...] = ()
        for number, value in self._blocks(data):
            if number == 1:
                name = _text(value)
            elif number == 2:
                shape = tuple(self._sizes(value))
        return Port(name, shape)

    def _sizes(self, kind: memoryview) -> Iterator[int | None]:
        """Yield the sizes of TypeProto.tensor_type.shape.dim."""
        for tensor in self._within(kind, 1):
            for shape in self._within(tensor, 2):
                for size in self._within(shape, 1):
                    fixed = [value for number, value in self._parts(size) if number == 1 and isinstance(value, int)]
                    yield fixed[0] if fixed else None

    def _within(self, data: memoryview, wanted: int) -> Iterator[memoryview]:
        return (value for number, value in self._blocks(data) if number == wanted)

    def _blocks(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        return ((number, value) for number, value in self._parts(data) if isinstance(value, memoryview))

    def _parts(self, data: memoryview) -> Iterator[Part]:
        at = 0
        while at < len(data):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"has more than {MOST_PARTS} parts")
            key, at = _varint(data, at)
            value, at = _value(data, at, key & 7)
            yield key >> 3, value


def _value(data: memoryview, at: int, kind: int) -> tuple[int | memoryview, int]:
    if kind == 0:
        return _varint(data, at)
    if kind == 2:
        length, at = _varint(data, at)
    elif kind in (1, 5):
        length = 8 if kind == 1 else 4
    else:
        raise ValueError(f"is not an ONNX model: byte {at} has no known kind of field")
    if length > len(data) - at:
        raise ValueError("is not an ONNX model, or is cut off: a field is longer than what holds it")
    block = data[at : at + length]
    return (block if kind == 2 else int.from_bytes(block, "little")), at + length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise ValueError("is not an ONNX model, or is cut off: a number does not end")


def _text(data: memoryview) -> str:
    if len(data) > _LONGEST_TEXT:
        raise ValueError(f"holds a text of {len(data)} bytes; at most {_LONGEST_TEXT} are taken")
    return bytes(data).decode("utf-8", "replace")
