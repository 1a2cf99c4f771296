"""Structures of a server's own types, decoded by the definitions that were read over the same connection.

The library keeps the types that it learns for the whole process, so that two servers that give different
types the same node id would be decoded by each other's. It is taught none: it hands over the octets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from asyncua import ua
from asyncua.common.structures104 import clean_name
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIdNames, ObjectIds
from asyncua.ua.ua_binary import extensionobject_from_binary, from_binary, variant_from_binary
from asyncua.ua.uaerrors import UaError

from drivers.opcua.calls import Calls, chunks

_DEEPEST = 32
_MOST_ELEMENTS = 1_000_000
_ENDS = {ObjectIds.Structure, ObjectIds.Union, ObjectIds.BaseDataType}
"""Types of the standard that have no fields to be inherited."""
_NOTHING = ua.NodeId()
"""Above a type of which the server tells nothing."""
_AS_VARIANT = {ObjectIds.BaseDataType, ObjectIds.Number, ObjectIds.Integer, ObjectIds.UInteger}
_SPOILED = (UaError, NotEnoughData, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error,
            RecursionError)  # fmt: skip
_KEPT = 64
"""Decoded structures that are kept: many points may be fields of the same one."""


class Structures:
    """What is known of one server's types. ``wanted`` are encodings that were met, and are to be learned."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.wanted: set[ua.NodeId] = set()
        self._by_encoding: dict[ua.NodeId, ua.NodeId] = {}
        self._types: dict[ua.NodeId, ua.StructureDefinition | ua.NodeId] = {}
        """A structure's definition with all that it inherits, or of what is none the type that it is a kind of."""
        self._whole: set[ua.NodeId] = set()
        self._decoded: dict[ua.ExtensionObject, Mapping[str, Any]] = {}
        self._faults: dict[ua.NodeId, str] = {}

    async def declared(self, nodes: Sequence[ua.NodeId]) -> None:
        """Learn the types that these variables declare. Raises NotConnected."""
        values = await self._calls.read(nodes, AttributeIds.DataType)
        found = [value.Value.Value for value in values if value.Value is not None]
        await self._learn([kind for kind in found if isinstance(kind, ua.NodeId) and not _is_standard(kind)])

    async def learn(self) -> bool:
        """Learn what is ``wanted``, and tell whether that was anything. Raises NotConnected."""
        wanted, self.wanted = list(self.wanted), set()
        found = await self._above(wanted, ObjectIds.HasEncoding) if wanted else []
        self._by_encoding |= {encoding: kind for encoding, kind in zip(wanted, found, strict=True) if kind is not None}
        await self._learn([kind for kind in found if kind is not None])
        for encoding in wanted:
            if self._definition(encoding) is None:
                self._faults[encoding] = f"the server does not tell how its type {encoding.to_string()} is built"
        return bool(wanted)

    def decode(self, value: ua.ExtensionObject) -> Mapping[str, Any]:
        """Return the fields by their names. Raises ValueError, and asks for a type that is not known."""
        definition = self._definition(value.TypeId)
        if definition is None and value.TypeId in self._faults:
            raise ValueError(self._faults[value.TypeId])
        if definition is None:
            self.wanted.add(value.TypeId)
            raise ValueError("the type of this structure is being asked for")
        if value not in self._decoded:
            if len(self._decoded) >= _KEPT:
                self._decoded.clear()
            self._decoded[value] = self._whole_body(definition, value)
        return self._decoded[value]

    def _whole_body(self, definition: ua.StructureDefinition, value: ua.ExtensionObject) -> Mapping[str, Any]:
        data = Buffer(bytes(value.Body or b""))
        try:
            fields = self._structure(definition, data, 0)
        except _SPOILED as error:
            raise ValueError("the server sent a structure that does not fit its definition") from error
        if len(data):
            raise ValueError("the server sent a structure that is longer than its definition")
        return fields

    def _definition(self, encoding: ua.NodeId) -> ua.StructureDefinition | None:
        kind = self._by_encoding.get(encoding)
        found = self._types.get(kind) if kind is not None else None
        return found if isinstance(found, ua.StructureDefinition) else None

    async def _learn(self, kinds: Sequence[ua.NodeId]) -> None:
        """Read the definitions of types, then of those that they are made of."""
        news = asked = [kind for kind in dict.fromkeys(kinds) if kind not in self._types]
        while asked:
            values = await self._calls.read(asked, AttributeIds.DataTypeDefinition)
            plain = [kind for kind, value in zip(asked, values, strict=True) if not self._keep(kind, value)]
            above = await self._above(plain, ObjectIds.HasSubtype) if plain else []
            self._types |= {kind: parent or _NOTHING for kind, parent in zip(plain, above, strict=True)}
            parts = [part for kind in asked for part in self._parts(kind)]
            asked = [kind for kind in dict.fromkeys(parts) if kind not in self._types]
            news = [*news, *asked]
        for kind in reversed(dict.fromkeys(news)):
            self._inherit(kind)

    def _keep(self, kind: ua.NodeId, value: ua.DataValue) -> bool:
        definition = value.Value.Value if value.Value is not None else None
        if not isinstance(definition, ua.StructureDefinition):
            return False
        self._types[kind] = definition
        self._by_encoding[definition.DefaultEncodingId] = kind
        return True

    def _parts(self, kind: ua.NodeId) -> Iterator[ua.NodeId]:
        """Yield the types that must be known for a type to be."""
        known = self._types[kind]
        if not isinstance(known, ua.StructureDefinition):
            yield from [] if _is_standard(known) else [known]
            return
        yield from (field.DataType for field in known.Fields if not _is_standard(field.DataType))
        if not _is_standard(known.BaseDataType) or known.BaseDataType.Identifier not in _ENDS:
            yield known.BaseDataType

    def _inherit(self, kind: ua.NodeId) -> None:
        """Put the fields of the types above first, unless the server did."""
        own = self._types.get(kind)
        if not isinstance(own, ua.StructureDefinition) or kind in self._whole:
            return
        self._whole.add(kind)
        self._inherit(own.BaseDataType)
        above = self._types.get(own.BaseDataType)
        if isinstance(above, ua.StructureDefinition):
            names = {field.Name for field in own.Fields}
            own.Fields = [*(field for field in above.Fields if field.Name not in names), *own.Fields]

    async def _above(self, nodes: Sequence[ua.NodeId], reference: int) -> list[ua.NodeId | None]:
        """Return the types above types, or the types whose encodings the nodes are."""
        found: list[ua.NodeId | None] = []
        for chunk in chunks(nodes):
            terms = ua.BrowseParameters(NodesToBrowse=[_upward(node, reference) for node in chunk])
            results = await self._calls.limited(self._calls.client.uaclient.session.browse(terms))
            found += [_first(result) for result in [*results, *[None] * len(chunk)][: len(chunk)]]
        return found

    def _structure(self, definition: ua.StructureDefinition, data: Buffer, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise ValueError("it is nested without end")
        found: dict[str, Any] = {clean_name(field.Name or ""): None for field in definition.Fields}
        for field in _present(definition, data):
            found[clean_name(field.Name or "")] = self._field(field, definition.StructureType, data, depth)
        return found

    def _field(self, field: ua.StructureField, kind: ua.StructureType, data: Buffer, depth: int) -> Any:
        is_boxed = bool(field.IsOptional) and "Subtyped" in kind.name
        if field.ValueRank < 1:
            return self._value(field.DataType, is_boxed, data, depth)
        sizes = [
            max(from_binary(ua.Int32, data), 0)
            for _ in range(from_binary(ua.Int32, data) if field.ValueRank > 1 else 1)
        ]
        if prod(sizes) > _MOST_ELEMENTS:
            raise ValueError("its array is too long")
        return _shaped([self._value(field.DataType, is_boxed, data, depth) for _ in range(prod(sizes))], sizes)

    def _value(self, kind: ua.NodeId, is_boxed: bool, data: Buffer, depth: int) -> Any:
        known: ua.StructureDefinition | ua.NodeId | None = kind
        for _ in range(_DEEPEST):
            if not isinstance(known, ua.NodeId) or _is_standard(known):
                break
            known = self._types.get(known)
        if isinstance(known, ua.StructureDefinition):
            return extensionobject_from_binary(data) if is_boxed else self._structure(known, data, depth + 1)
        if not isinstance(known, ua.NodeId) or not _is_standard(known):
            raise ValueError(f"the type {kind.to_string()} is not known")
        return variant_from_binary(data).Value if is_boxed else _standard(int(known.Identifier), data)


def _present(definition: ua.StructureDefinition, data: Buffer) -> Iterator[ua.StructureField]:
    """Yield the fields whose values follow: one of a union, and of optional ones those that the mask names."""
    kind, fields = definition.StructureType, definition.Fields
    if kind in (ua.StructureType.Union, ua.StructureType.UnionWithSubtypedValues):
        chosen = from_binary(ua.UInt32, data)
        yield from fields[chosen - 1 : chosen] if chosen else []
        return
    has_optional = kind is ua.StructureType.StructureWithOptionalFields
    mask, bit = from_binary(ua.UInt32, data) if has_optional else 0, 1
    for field in fields:
        is_optional, at = has_optional and field.IsOptional, bit
        bit <<= is_optional
        if not is_optional or mask & at:
            yield field


def _upward(node: ua.NodeId, reference: int) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Inverse,
        ReferenceTypeId=ua.NodeId(ua.Int32(reference)),
        IncludeSubtypes=True,
        ResultMask=ua.UInt32(0),
    )


def _first(result: ua.BrowseResult | None) -> ua.NodeId | None:
    references = (result.References if result is not None else None) or []
    target = references[0].NodeId if references else None
    return ua.NodeId(target.Identifier, target.NamespaceIndex) if target is not None else None


def _is_standard(kind: ua.NodeId) -> bool:
    return kind.NamespaceIndex == 0


def _standard(kind: int, data: Buffer) -> Any:
    """Read a value of a type of the standard, which the library knows."""
    if kind in _AS_VARIANT:
        return variant_from_binary(data).Value
    if kind == ObjectIds.Structure:
        return extensionobject_from_binary(data)
    if kind == ObjectIds.Enumeration:
        return from_binary(ua.Int32, data)
    return from_binary(getattr(ua, ObjectIdNames[kind]), data)


def _shaped(flat: list[Any], sizes: Sequence[int]) -> list[Any]:
    for size in reversed(sizes[1:]):
        flat = [flat[first : first + size] for first in range(0, len(flat), size)] if size > 0 else []
    return flat
