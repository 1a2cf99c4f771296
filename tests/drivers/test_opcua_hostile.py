"""Single points that are wrong must not take the rest of an OPC UA device with them."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.object_ids import ObjectIds
from pydantic import ValidationError

from agent.core.clock import SystemClock
from agent.core.model import Quality
from drivers.opcua.calls import Calls
from drivers.opcua.conditions import Conditions
from drivers.opcua.items import Items
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.subscription import Subscription
from drivers.opcua.values import to_browse_path, to_variant
from drivers.scaling import Scaling
from tests.drivers.rigs import Rig
from tests.drivers.test_opcua_data import first

LEVEL = "Objects/nsu=urn:test:plant:Plant/nsu=urn:test:plant:Level"


@pytest.mark.parametrize("node", ["ns=65536;i=1", "i=4294967296", "nsu=urn:test:plant;i=99999999999"])
def test_a_node_id_that_cannot_be_sent_is_refused_when_the_site_is_loaded(node: str) -> None:
    with pytest.raises(ValidationError, match="at most"):
        OpcUaPoint.model_validate({"node": node})


def test_a_path_with_an_index_that_cannot_be_sent_is_the_fault_of_that_point() -> None:
    with pytest.raises(ValueError, match="no namespace 99999"):
        to_browse_path("Objects/99999:Boiler", ["", "urn:plant"])


@pytest.mark.parametrize("kind", [ua.VariantType.Int16, ua.VariantType.Double])
def test_a_number_beyond_all_types_is_refused_like_any_that_does_not_fit(kind: ua.VariantType) -> None:
    scaling = Scaling.of(OpcUaPoint(node="i=1", scale=10))
    with pytest.raises(ValueError, match="does not fit"):
        to_variant(10**400, kind, scaling)


def test_two_points_may_be_the_same_condition() -> None:
    items = Items({name: OpcUaPoint(condition="Tank/High") for name in ("plc.a", "plc.b")})
    told = Conditions(object.__new__(Calls), object.__new__(Subscription), items.conditions)
    end = ua.EventFieldList()
    end.EventFields = [ua.Variant(ua.NodeId(ua.Int32(ObjectIds.RefreshEndEventType))), *[ua.Variant()] * 6]
    samples = list(told.news([end], SystemClock().now()))
    assert [(sample.point, sample.value) for sample in samples] == [("plc.a", False), ("plc.b", False)]


@pytest.mark.server
async def test_paths_are_asked_in_requests_that_servers_take(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    plain = UaSession.translate_browsepaths_to_nodeids

    async def counted(self: UaSession, paths: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        asked.append(len(paths))
        return await plain(self, paths)

    monkeypatch.setattr(UaSession, "translate_browsepaths_to_nodeids", counted)
    points: dict[str, dict[str, object]] = {f"n{n}": {"path": f"Objects/None{n}"} for n in range(1200)}
    seen = await first(real, {**points, "level": {"path": LEVEL}})
    assert asked == [500, 500, 201]
    assert seen["level"].value == 7.0
    assert seen["n1199"].quality is Quality.BAD and seen["n1199"].reason == "Objects/None1199: BadNoMatch"
