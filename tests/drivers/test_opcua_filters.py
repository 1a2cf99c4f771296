"""Deadbands and triggers, which a server may refuse: against node-opcua."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import structlog
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from drivers.opcua.calls import Calls
from tests.drivers.rigs import Rig, node_opcua
from tests.drivers.test_opcua_data import NODE, news, session

SERVER = node_opcua


@pytest.mark.server
async def test_changes_within_a_deadband_are_not_sent(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "still": {"node": NODE + "SetPoint", "deadband": 5, "writable": True},
    }
    async with session(real, points) as live:
        await live.write("plc.still", 0)
        await news(live, 0.5)
        for value in (2, 3, 20):
            await live.write("plc.still", value)
            await asyncio.sleep(0.2)
        assert [sample.value for sample in await news(live, 0.5)] == [20]


@pytest.mark.server
async def test_a_filter_that_the_server_refuses_costs_the_point_nothing(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "text": {"node": NODE + "Text", "deadband": 5},
        "level": {"node": NODE + "Level", "deadband": "5%"},
    }
    async with session(real, points) as live:
        with structlog.testing.capture_logs() as logs:
            found = [*await live.read(), *await news(live, 1.0)]
        assert {sample.value for sample in found} == {"PUMP", 7.0}, "node-opcua takes deadbands of numbers only"
        assert [each["log_level"] for each in logs if "refuses deadband" in each["event"]] == ["warning"]


@pytest.mark.server
async def test_a_deadband_that_the_server_refuses_is_applied_here(real: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    create = Calls.create_items

    async def picky(
        self: Calls, subscription: int, requests: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        if not any(request.RequestedParameters.Filter for request in requests):
            return await create(self, subscription, requests)
        refusal = ua.StatusCode(ua.UInt32(StatusCodes.BadMonitoredItemFilterUnsupported))
        return [ua.MonitoredItemCreateResult(StatusCode=refusal) for _ in requests]

    monkeypatch.setattr(Calls, "create_items", picky)
    points: dict[str, dict[str, object]] = {
        "still": {"node": NODE + "SetPoint", "deadband": 5, "writable": True},
        "status": {"node": NODE + "Big", "trigger": "status"},
    }
    async with session(real, points) as live:
        await live.write("plc.still", 0)
        await news(live, 0.5)
        for value in (2, 5, 20):
            await live.write("plc.still", value)
            await asyncio.sleep(0.2)
        assert [sample.value for sample in await news(live, 0.5)] == [20]
