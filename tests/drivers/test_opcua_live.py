"""What is OPC UA's own: status codes, types, logging in, a subscription that dies alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality, Sample, Value
from agent.core.ports import Driver
from drivers import REGISTRY
from drivers.opcua.session import OpcUaSession
from drivers.opcua.subscription import LIFE_S
from tests.drivers.rigs import Rig, read_until

pytestmark = pytest.mark.server
KIND = REGISTRY["opcua"]
NODE = "nsu=urn:test:plant;s=Plant."


def driver(rig: Rig, points: dict[str, dict[str, object]], **device: object) -> Driver:
    options = KIND.device.model_validate({**rig.device, "timeout": 1.0, **device})
    return KIND.build(
        "plc", options, {name: KIND.point.model_validate(each) for name, each in points.items()}, SystemClock()
    )


async def first(rig: Rig, **points: dict[str, object]) -> dict[str, Sample]:
    session = await driver(rig, points).connect()
    seen = {sample.point.removeprefix("plc."): sample for sample in await session.read()}
    await session.close()
    return seen


async def test_the_status_is_the_quality_and_its_name_the_reason(real: Rig) -> None:
    names = ("Level", "Worn", "Broken", "Nowhere", "NoNumber", "List", "Text", "Big")
    points: dict[str, dict[str, object]] = {name: {"node": NODE + name} for name in names}
    seen = await first(real, **points, Else={"node": "nsu=urn:nowhere;s=X"})
    assert {name: (sample.quality.value, sample.value, sample.reason) for name, sample in seen.items()} == {
        "Level": ("good", 7.0, None),
        "Worn": ("uncertain", 3.5, "UncertainSensorNotAccurate"),
        "Broken": ("bad", None, "BadSensorFailure"),
        "Nowhere": ("bad", None, "BadNodeIdUnknown"),
        "NoNumber": ("bad", None, "the device sent nan"),
        "List": ("bad", None, "a list is not a plain value"),
        "Text": ("good", "PUMP", None),
        "Big": ("good", 1234, None),
        "Else": ("bad", None, "the server has no namespace 'urn:nowhere'"),
    }
    assert seen["Worn"].source_time is not None and seen["Worn"].source_time.tzinfo is UTC


async def test_numbers_are_scaled_and_written_back_raw(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "scaled": {"node": NODE + "SetPoint", "scale": 0.1, "offset": -5, "writable": True},
        "raw": {"node": NODE + "SetPoint"},
    }
    session = await driver(real, points).connect()
    await session.write("plc.scaled", 7.3)
    assert [sample.value for sample in await session.fetch(["plc.scaled", "plc.raw"])] == [7.3, 123]
    await session.close()


async def test_two_points_may_share_a_node(real: Rig) -> None:
    points: dict[str, dict[str, object]] = {
        "a": {"node": NODE + "SetPoint", "writable": True},
        "b": {"node": NODE + "SetPoint"},
    }
    session = await driver(real, points).connect()
    await session.read()
    await session.write("plc.a", 55)
    seen = await read_until(session, {"plc.a", "plc.b"})
    assert seen["plc.a"].quality is seen["plc.b"].quality is Quality.GOOD
    await session.close()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SetPoint", 40000, "40000 does not fit into Int16"),
        ("SetPoint", "7", "'7' is not a number"),
        ("SetPoint", None, "None is not a number"),
        ("Siren", 2, "2 is neither on nor off"),
        ("Text", 1, "1 cannot be written to a node of type String"),
        ("Nowhere", 1, "BadNodeIdUnknown"),
        ("Level", 1.0, "'writable'"),
    ],
)
async def test_what_cannot_be_written_is_refused(real: Rig, name: str, value: Value, reason: str) -> None:
    session = await driver(real, {"it": {"node": NODE + name, "writable": name != "Level"}}).connect()
    with pytest.raises(Refused, match=reason):
        await session.write("plc.it", value)
    await session.close()


async def test_logging_in(real: Rig, tmp_path: Path) -> None:
    (tmp_path / "right").write_text("s3cret\n")
    (tmp_path / "wrong").write_text("guess\n")
    point: dict[str, dict[str, object]] = {"level": {"node": NODE + "Level"}}
    plain = {"username": "op", "insecure_password": True}
    session = await driver(real, point, **plain, password_file=tmp_path / "right").connect()
    assert [sample.value for sample in await session.read()] == [7.0]
    await session.close()
    with pytest.raises(NotConnected, match=r"BadUserAccessDenied|BadIdentityTokenRejected"):
        await driver(real, point, **plain, password_file=tmp_path / "wrong").connect()
    with pytest.raises(NotConnected, match=r"password file .*absent: No such file"):
        await driver(real, point, **plain, password_file=tmp_path / "absent").connect()


async def test_a_subscription_that_dies_alone_is_a_lost_device(real: Rig) -> None:
    session = await driver(real, {"level": {"node": NODE + "Level"}}).connect()
    assert isinstance(session, OpcUaSession)
    await read_until(session, {"plc.level"})
    subscription = session._subscription
    assert subscription is not None and subscription.id
    await session._client.delete_subscriptions([subscription.id])
    started_s = time.monotonic()
    with pytest.raises(NotConnected, match="the subscription"):
        while time.monotonic() - started_s < 20.0:
            await session.read()
    assert time.monotonic() - started_s < 3 * LIFE_S + 1.0 + 2.0
    await session.close()


async def test_a_slow_sampling_is_no_silence(real: Rig) -> None:
    session = await driver(real, {"level": {"node": NODE + "Level"}}, sampling=60.0, timeout=0.5).connect()
    until_s = time.monotonic() + 4.5
    while time.monotonic() < until_s:
        await session.read()
    await session.close()


async def test_a_killed_server_is_noticed_at_once(real: Rig) -> None:
    session = await driver(real, {"level": {"node": NODE + "Level"}}, sampling=10.0).connect()
    await session.read()
    waiting = asyncio.create_task(session.read())
    await asyncio.sleep(0.1)
    real.server.kill()
    started_s = time.monotonic()
    with pytest.raises(NotConnected):
        await waiting
        await session.read()
    assert time.monotonic() - started_s < 0.5
    await session.close()
    real.server.start()


def test_a_site_without_opcua_does_not_pay_for_it() -> None:
    code = "import sys, drivers; sys.exit('asyncua' in sys.modules or 'pymodbus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
