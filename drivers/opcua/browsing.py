"""What a server offers, for who writes a site's file. Gentle: one folder at a time, and never in circles."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from agent.core.model import Value
from agent.core.ports import Offer
from drivers.opcua.calls import Calls
from drivers.opcua.items import declared_type
from drivers.opcua.values import names_of, readable

DEEPEST = 12
MOST = 20_000
"""Nodes that one call tells of."""
_VARIABLE = ua.NodeClass.Variable
_ROOT = ua.NodeId(ua.Int32(ObjectIds.RootFolder))
_OBJECTS = ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
_SERVER = ua.NodeId(ua.Int32(ObjectIds.Server))


@dataclass(frozen=True)
class _Place:
    node: ua.NodeId
    path: str
    is_variable: bool = False


async def browse(calls: Calls, path: str) -> AsyncIterator[Offer]:
    """Yield what lies at ``path``: names with ``/`` between, ``*`` for any name, ``**`` for all below.

    Empty is what lies in Objects; names are matched with or without their namespace index.
    """
    names = names_of(path)
    start = _Place(_ROOT, "") if names[:1] == ["Objects"] or names[:1] == ["Root"] else _Place(_OBJECTS, "Objects")
    names = names[1:] if names[:1] == ["Root"] else names
    namespaces: list[str] = await calls.limited(calls.client.get_namespace_array())
    told: set[ua.NodeId] = set()
    found = _walk(calls, [start], names) if names else _walk(calls, [start], ["*"])
    batch: list[_Place] = []
    async for place in found:
        if place.node in told:
            continue
        told.add(place.node)
        batch.append(place)
        if len(batch) == 100:
            for offer in await _offers(calls, batch, namespaces):
                yield offer
            batch = []
        if len(told) >= MOST:
            break
    for offer in await _offers(calls, batch, namespaces):
        yield offer


async def _walk(calls: Calls, places: Sequence[_Place], names: Sequence[str], depth: int = 0) -> AsyncIterator[_Place]:
    """Yield the places that match ``names``, beginning below ``places``."""
    if depth > DEEPEST:
        return
    for place in places:
        children = await _children(calls, place)
        if names[0] == "**":
            async for found in _all_below(calls, children, {place.node}, depth):
                yield found
            continue
        matching = [child for child in children if _matches(child.path, names[0])]
        if len(names) == 1:
            for child in matching:
                yield child
        else:
            async for found in _walk(calls, matching, names[1:], depth + 1):
                yield found


async def _all_below(calls: Calls, places: Sequence[_Place], seen: set[ua.NodeId], depth: int) -> AsyncIterator[_Place]:
    for place in places:
        if place.node in seen or place.node == _SERVER:
            continue  # the server's own diagnostics are many and of no use here; name them to see them
        seen.add(place.node)
        yield place
        if depth < DEEPEST:
            async for found in _all_below(calls, await _children(calls, place), seen, depth + 1):
                yield found


def _matches(path: str, name: str) -> bool:
    last = names_of(path)[-1]
    return fnmatch.fnmatchcase(last, name) or fnmatch.fnmatchcase(last.partition(":")[2] or last, name)


async def _children(calls: Calls, place: _Place) -> list[_Place]:
    wanted = ua.BrowseDescription()
    wanted.NodeId = place.node
    wanted.BrowseDirection = ua.BrowseDirection.Forward
    wanted.ReferenceTypeId = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))
    wanted.IncludeSubtypes = True
    wanted.NodeClassMask = ua.UInt32(ua.NodeClass.Object | _VARIABLE)
    wanted.ResultMask = ua.UInt32(ua.BrowseResultMask.All)
    session = calls.client.uaclient.session
    terms = ua.BrowseParameters(RequestedMaxReferencesPerNode=ua.UInt32(500), NodesToBrowse=[wanted])
    result = await calls.single(session.browse(terms))
    references = list(result.References or [])
    while result.ContinuationPoint and result.References and len(references) < MOST:
        more = ua.BrowseNextParameters(ContinuationPoints=[result.ContinuationPoint])
        result = await calls.single(session.browse_next(more))
        references += result.References or []
    return [_place(place, reference) for reference in references]


def _place(parent: _Place, reference: ua.ReferenceDescription) -> _Place:
    name = reference.BrowseName
    own = readable(f"{name.NamespaceIndex}:{name.Name}" if name.NamespaceIndex else str(name.Name))
    path = f"{parent.path}/{own.replace('/', '&/')}" if parent.path else own.replace("/", "&/")
    return _Place(ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex, reference.NodeId.NodeIdType),
                  path, reference.NodeClass == _VARIABLE)  # fmt: skip


async def _offers(calls: Calls, places: Sequence[_Place], namespaces: Sequence[str]) -> list[Offer]:
    variables = [place for place in places if place.is_variable]
    nodes = [place.node for place in variables]
    values = await calls.read(nodes, AttributeIds.Value)
    types = await calls.read(nodes, AttributeIds.DataType)
    access = await calls.read(nodes, AttributeIds.UserAccessLevel)
    about = {place.node: row for place, *row in zip(variables, values, types, access, strict=True)}
    return [_offer(place, about.get(place.node), namespaces) for place in places]


def _offer(place: _Place, about: list[ua.DataValue] | None, namespaces: Sequence[str]) -> Offer:
    if about is None:
        return Offer(place.path, children=True)
    value, data_type, access = about
    kind = next(iter(declared_type(data_type)), None)
    level = access.Value.Value if access.Value is not None else 0
    return Offer(
        place.path,
        {"node": _portable(place.node, namespaces)},
        kind.name if kind is not None else "",
        _shown(value),
        bool(int(level or 0) & ua.AccessLevel.CurrentWrite.mask),
    )


def _portable(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """Return the node's id with the URI of its namespace, so that it outlives a change of the index."""
    text = node.to_string()
    own = text.partition(";")[2] if text.startswith("ns=") else text
    index = int(node.NamespaceIndex)
    return f"nsu={namespaces[index]};{own}" if 0 < index < len(namespaces) else own


def _shown(data: ua.DataValue) -> Value:
    value = data.Value.Value if data.Value is not None else None
    if isinstance(value, bool | int | float) or value is None:
        return value
    return readable(value if isinstance(value, str) else str(value)[:80])
