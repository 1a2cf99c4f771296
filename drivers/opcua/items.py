"""The points of a session: which node of this connection each one is, and of what type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from agent.core.errors import NotConnected
from drivers.opcua.calls import Calls, chunks
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.values import to_browse_path, to_node_id
from drivers.scaling import Scaling

_WHOLE_PATH = 0xFFFFFFFF
"""RemainingPathIndex of a path that was followed to its end (Part 4, 5.8.4)."""
_BUILT_IN = range(ua.VariantType.Boolean, ua.VariantType.DiagnosticInfo + 1)


@dataclass(eq=False)
class Item:
    """A point as this session knows it; ``node`` is None when the server cannot have such a node: see ``reason``."""

    id: str
    options: OpcUaPoint
    scaling: Scaling
    node: ua.NodeId | None = None
    kind: ua.VariantType | None = None
    reason: str = ""


class Items:
    """All points of a session, by their ids and by their nodes."""

    def __init__(self, points: Mapping[str, OpcUaPoint]) -> None:
        self.by_id = {id_: Item(id_, point, Scaling.of(point)) for id_, point in points.items()}
        self.by_node: dict[ua.NodeId, list[Item]] = {}

    @property
    def conditions(self) -> list[Item]:
        """The points that are conditions, not nodes."""
        return [item for item in self.by_id.values() if item.options.condition]

    @property
    def variables(self) -> list[Item]:
        """The points that are nodes, or parts of nodes."""
        return [item for item in self.by_id.values() if not item.options.condition]

    async def resolve(self, calls: Calls) -> None:
        """Turn node ids and paths into nodes of this connection: an index may differ from the last time."""
        namespaces: list[str] = await calls.limited(calls.client.get_namespace_array())
        for item in self.variables:
            if item.options.node:
                _resolve_id(item, namespaces)
        await self._resolve_paths(calls, [item for item in self.variables if item.options.path], namespaces)
        for item in self.variables:
            if item.node is not None:
                self.by_node.setdefault(item.node, []).append(item)
        await _learn_types(calls, [item for item in self.variables if item.options.writable and item.node])

    async def _resolve_paths(self, calls: Calls, items: Sequence[Item], namespaces: Sequence[str]) -> None:
        asked: list[tuple[Item, ua.BrowsePath]] = []
        for item in items:
            try:
                asked.append((item, to_browse_path(item.options.path, namespaces)))
            except ValueError as error:
                item.reason = str(error)
        session = calls.client.uaclient.session
        results: list[ua.BrowsePathResult] = []
        for chunk in chunks([path for _, path in asked]):
            found = await calls.limited(session.translate_browsepaths_to_nodeids(list(chunk)))
            if len(found) != len(chunk):
                raise NotConnected(f"{calls.endpoint}: it answered for {len(found)} of {len(chunk)} paths")
            results += found
        for (item, _), result in zip(asked, results, strict=True):
            targets = result.Targets or []
            is_whole = bool(targets) and targets[0].RemainingPathIndex == _WHOLE_PATH
            item.node = targets[0].TargetId if is_whole and not result.StatusCode.is_bad() else None
            item.reason = "" if item.node is not None else f"{item.options.path}: {result.StatusCode.name}"


def _resolve_id(item: Item, namespaces: Sequence[str]) -> None:
    try:
        item.node = to_node_id(item.options.node, namespaces)
    except ValueError as error:
        item.reason = str(error)


async def _learn_types(calls: Calls, items: Sequence[Item]) -> None:
    """Ask once for the type of what will be written: of its present value, or else what its node declares."""
    nodes = [item.node for item in items if item.node]
    values = await calls.read(nodes, AttributeIds.Value)
    declared = await calls.read(nodes, AttributeIds.DataType)
    for item, value, data_type in zip(items, values, declared, strict=True):
        item.kind = next(_types(value, data_type), None)
        if item.kind is None:
            item.reason = f"{item.options.node or item.options.path}: {_fault(data_type)}"


def _types(value: ua.DataValue, data_type: ua.DataValue) -> Iterator[ua.VariantType]:
    yield from _present_type(value)
    yield from declared_type(data_type)


def _present_type(data: ua.DataValue) -> Iterable[ua.VariantType]:
    variant = data.Value
    if variant is not None and variant.Value is not None and variant.VariantType in _BUILT_IN:
        yield ua.VariantType(variant.VariantType)


def declared_type(data: ua.DataValue) -> Iterable[ua.VariantType]:
    """Yield the built-in type that a DataType attribute names, if it names one."""
    node = data.Value.Value if data.Value is not None else None
    if isinstance(node, ua.NodeId) and node.NamespaceIndex == 0 and isinstance(node.Identifier, int):
        yield from (kind for kind in ua.VariantType if kind.value == node.Identifier)


def _fault(data: ua.DataValue) -> str:
    status = data.StatusCode
    return status.name if status is not None and status.is_bad() else "its data type is not a plain one"
