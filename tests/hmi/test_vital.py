"""What the head of the page says is well, and how it tells the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.hmi.source import Snapshot
from agent.hmi.vital import vital
from agent.hmi.words import clock
from tests.view import FakeView


def snapshot(**uplink: Any) -> Snapshot:
    status: Any = FakeView().status()
    status["uplink"].update(state="online", **uplink)
    return Snapshot(status)


def test_a_broker_that_is_there_and_a_centre_that_is_not_are_not_well() -> None:
    assert vital(snapshot(), True)["uplink"] == (True, ["online"])
    assert vital(snapshot(nobody_listens=True), True)["uplink"] == (False, ["online", "nobody_listens"])


@pytest.mark.parametrize(("value", "well"), [(False, False), (None, True), (True, True)])
def test_a_centre_that_does_not_confirm_is_not_well(value: bool | None, well: bool) -> None:
    found = snapshot()
    found.points = [{"id": "gateway.centre_confirms", "value": value}]
    assert vital(found, True)["uplink"][0] is well


@pytest.mark.parametrize("sees", [False, None])
def test_a_camera_that_does_not_see_is_named_though_its_stream_is_there(sees: bool | None) -> None:
    found = snapshot()
    found.status["cameras"][0]["camera_ok"] = sees
    assert vital(found, True)["devices"] == (False, ["gate"])


def test_of_an_agent_that_is_not_heard_nothing_is_known() -> None:
    assert vital(snapshot(), False) == {"devices": (None, []), "journal": (None, []), "uplink": (None, [])}


def test_a_clock_that_was_set_back_makes_no_age() -> None:
    raised = datetime.now(UTC) + timedelta(hours=1)
    assert clock(raised.isoformat()) == f"{raised.astimezone():%H:%M:%S}"
