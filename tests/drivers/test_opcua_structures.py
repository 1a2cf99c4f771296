"""Structures of a server's own types, against two node-opcua servers that give different types the same node ids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession

from drivers.opcua.calls import Calls
from drivers.opcua.structures import Structures
from tests.drivers.rigs import Rig
from tests.drivers.test_opcua_data import NODE, first
from tests.servers.process import HERE, Server, free_port

MOTOR = {"Speed": 1.5, "Count": 7, "Mode": 3, "Gear.Teeth": 40, "Gear.Worn": True, "Name": "M1", "Limit": 250, "Any": 9}
POINTS: dict[str, dict[str, object]] = {
    field.replace(".", "_"): {"node": NODE + "Motor", "field": field} for field in MOTOR
}


def structures(folder: Path, *words: str) -> Rig:
    """Describe a server with structures of its own."""
    port = free_port()
    server = Server(["node", str(HERE / "opcua_structures.js"), str(port), str(folder), *words], port)
    device = {"endpoint": f"opc.tcp://127.0.0.1:{port}/plant", "security": "none"}
    return Rig("structures", "opcua", server, device, {}, ("", 0))


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Rig]]:
    made = [structures(tmp_path_factory.mktemp("a")), structures(tmp_path_factory.mktemp("b"), "flipped", "2000")]
    for rig in made:
        rig.server.start()
    yield made[0], made[1]
    for rig in made:
        rig.server.kill()


@pytest.mark.server
async def test_servers_that_give_different_structures_the_same_type_are_each_decoded_by_their_own(
    plants: tuple[Rig, Rig],
) -> None:
    wanted = {field.replace(".", "_"): value for field, value in MOTOR.items()}
    before = dict(ua.extension_objects_by_typeid)
    for rig in (*plants, *plants):
        seen = await first(rig, POINTS)
        assert {name: sample.value for name, sample in seen.items()} == wanted
    assert before == ua.extension_objects_by_typeid, "the library is taught nothing: it would be for all servers"


@pytest.mark.server
async def test_thousands_of_types_that_nobody_needs_cost_nothing(plants: tuple[Rig, Rig]) -> None:
    asked: list[int] = []

    async def counting(*arguments: Any) -> object:
        asked.append(1)
        return await send(*arguments)

    send = UaSession._send_request
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UaSession, "_send_request", counting)
        assert (await first(plants[1], POINTS))["Count"].value == 7
    assert len(asked) < 30


@pytest.mark.server
async def test_unions_optional_fields_inherited_ones_and_boxes(plants: tuple[Rig, Rig]) -> None:
    for rig in plants:
        seen = await first(rig, {
            "flow": {"node": NODE + "Pump", "field": "Flow"},
            "left_out": {"node": NODE + "Pump", "field": "Extra"},
            "last": {"node": NODE + "Pump", "field": "Last"},
            "chosen": {"node": NODE + "Either", "field": "Text"},
            "other": {"node": NODE + "Either", "field": "Number"},
            "inherited": {"node": NODE + "Big", "field": "Gear.Teeth"},
            "own": {"node": NODE + "Big", "field": "Power"},
            "undeclared": {"node": NODE + "Some", "field": "Teeth"},
            "second": {"node": NODE + "Motors", "element": 1, "field": "Count"},
            "boxed": {"node": NODE + "Boxed", "field": "Any.Teeth"},
            "whole": {"node": NODE + "Motor"},
            "nothing": {"node": NODE + "Motor", "field": "Nothing"},
        })  # fmt: skip
        values = {name: sample.value for name, sample in seen.items() if sample.value is not None}
        assert values == {
            "flow": 2.5, "last": 200, "chosen": "yes", "inherited": 40, "own": 99.0,
            "undeclared": 12, "second": 8, "boxed": 5,
        }  # fmt: skip
        assert seen["whole"].reason == "a structure is not a plain value; say with 'field' which part of it"
        assert "there is no field 'Nothing'; there is " in str(seen["nothing"].reason)


def test_a_structure_is_decoded_once_for_all_its_points_and_only_as_it_is_defined() -> None:
    kind, encoding = ua.NodeId(ua.Int32(3003), ua.Int16(2)), ua.NodeId(ua.Int32(8003), ua.Int16(2))
    count = ua.StructureField(Name="Count", DataType=ua.NodeId(ua.Int32(6)), ValueRank=ua.Int32(-1))
    known = Structures(object.__new__(Calls))
    known._keep(kind, ua.DataValue(ua.Variant(ua.StructureDefinition(DefaultEncodingId=encoding, Fields=[count]))))
    whole = ua.ExtensionObject(TypeId=encoding, Body=ua.ByteString(b"\7\0\0\0"))
    assert known.decode(whole) == {"Count": 7} and known.decode(whole) is known.decode(whole)
    for body, reason in ((b"\7\0", "does not fit"), (b"\7\0\0\0\0", "longer than")):
        with pytest.raises(ValueError, match=reason):
            known.decode(ua.ExtensionObject(TypeId=encoding, Body=ua.ByteString(body)))
    assert not known.wanted
    with pytest.raises(ValueError, match="asked for"):
        known.decode(ua.ExtensionObject(TypeId=kind, Body=ua.ByteString(b"")))
    assert known.wanted == {kind}
