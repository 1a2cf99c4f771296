"""The real daemon proves that its sirens sound; a button acknowledges; a missed test is an alarm."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from agent.client import AgentRefused, Client
from benchmarks.plant import Plant, Press, running
from tests.fakes import until

pytestmark = [pytest.mark.server, pytest.mark.slow]
WHO = {"operator": "li", "via": "cli"}
SECTIONS = """
buttons:
  panel: {point: boiler.emergency_button, action: acknowledge, zone: press-line}
self_test: {at: "daily 00:00", outputs: [siren, beacon_red]}
proof_test: {assume: {press.running: true}}
uplink:"""
STANDING = """
  - {id: hot, kind: level, input: press.temperature, name: Hot, zone: press-line, limits: {H: {at: -99, priority: P3}}}
"""


async def event(plant: Plant, kind: str, limit_s: float = 40.0) -> dict[str, Any]:
    async with asyncio.timeout(limit_s):
        while True:
            found = [each for each in await plant.ask("events?limit=1000") if each["type"].endswith(f"{kind}.v1")]
            if found:
                return dict(found[-1])
            await asyncio.sleep(0.2)


async def state(plant: Plant, alarm: str) -> str:
    return str({row["id"]: row["state"] for row in await plant.ask("alarms?all=1")}[alarm])


async def until_state(plant: Plant, alarm: str, wanted: str, limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while await state(plant, alarm) != wanted:
            await asyncio.sleep(0.05)


async def test_from_a_golden_picture_to_a_sounding_siren_while_the_camera_watches(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=True, replace=("uplink:", SECTIONS)) as plant:
        async with asyncio.timeout(30.0):
            while [camera["state"] for camera in (await plant.ask("status"))["cameras"]] != ["online"]:
                await asyncio.sleep(0.1)
        before = {row["id"] for row in await plant.ask("alarms") if row["active"]}
        gaps: list[float] = []
        watch = asyncio.create_task(longest_gap(plant, gaps))
        (proof,) = (await asyncio.to_thread(prove, plant))["proofs"]
        watch.cancel()
        assert proof["passed"], proof
        assert proof["picture"] == "golden/bare.jpg" and proof["alarm"] == "bare_head_at_press"
        assert {each["output"] for each in proof["outputs"]} >= {"siren", "beacon_red"}
        assert set(proof["legs_ms"]) == {"picture_to_facts", "rule", "outputs"}
        assert 0 < proof["legs_ms"]["outputs"] < 1000
        told = await event(plant, "proof.result")
        assert told["test"] is True and told["data"]["legs_ms"] == proof["legs_ms"]
        assert max(gaps) < 1.0, "the camera must go on watching"
        after = {row["id"] for row in await plant.ask("alarms") if row["active"]}
        assert "bare_head_at_press" not in after - before, "a proof is no alarm"
        await until(lambda: not plant.siren_on, 2.0)


def prove(plant: Plant) -> Any:
    return Client(plant.socket, timeout_s=60.0).post("proof-test", camera="gate", **WHO)


async def longest_gap(plant: Plant, gaps: list[float]) -> None:
    while True:
        row = next(each for each in await plant.ask("points") if each["id"] == "gate.camera_ok")
        gaps.append(float(row["age_s"]))
        await asyncio.sleep(0.05)


async def test_the_self_test_sounds_each_output_in_turn_and_a_person_confirms_it(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=False, replace=("uplink:", SECTIONS)) as plant:
        await plant.ask("self-test", **WHO)
        told = await event(plant, "test.result")
        assert told["test"] is True and told["data"]["passed"]
        outputs = told["data"]["outputs"]
        assert [each["output"] for each in outputs] == ["siren", "beacon_red"]
        assert all(each["confirmed"] and 0 < each["latency_ms"] < 1000 for each in outputs)
        assert await plant.ask("self-test/confirm", heard=True, **WHO) == {"confirmed": True}
        assert (await event(plant, "test.confirmed"))["data"]["heard"] is True
        assert await state(plant, "gateway.self_test") == "normal"
        await plant.ask("self-test/confirm", heard=False, **WHO)
        await until_state(plant, "gateway.self_test", "unacknowledged")


async def test_an_output_that_does_not_follow_fails_the_self_test(tmp_path: Path, press: Press) -> None:
    async with running(tmp_path, press=press, camera=False, replace=("uplink:", SECTIONS)) as plant:
        plant.press.freeze()
        await plant.ask("self-test", **WHO)
        told = await event(plant, "test.result")
        assert [each["confirmed"] for each in told["data"]["outputs"]] == [True, False]
        await until_state(plant, "gateway.self_test", "unacknowledged")


async def test_a_missed_self_test_is_an_alarm(tmp_path: Path, press: Press) -> None:
    state_file = tmp_path / "state" / "self_test.json"
    state_file.parent.mkdir()
    state_file.write_text('{"done": "2026-01-02T00:00:00+00:00", "ok": true}')
    late = time.strftime("%H:%M", time.localtime(time.time() - 3600))
    sections = SECTIONS.replace("daily 00:00", f"daily {late}")
    async with running(tmp_path, press=press, camera=False, replace=("uplink:", sections)) as plant:
        await until_state(plant, "gateway.self_test", "unacknowledged")
        assert (await event(plant, "test.result"))["data"]["reason"] == "missed"


async def test_a_button_acknowledges_without_network_or_browser(tmp_path: Path, press: Press) -> None:
    async with running(
        tmp_path, press=press, camera=False, replace=("uplink:", SECTIONS), more_rules=STANDING
    ) as plant:
        await until_state(plant, "hot.H", "unacknowledged")
        plant.boiler.send("set", point="emergency_button", value=1)
        await until_state(plant, "hot.H", "acknowledged")
        row = next(row for row in await plant.ask("alarms") if row["id"] == "hot.H")
        assert row["acknowledged_by"] == "button at panel"
        await until(lambda: plant.siren_on, 5.0)  # the button's own alarm
        client = Client(plant.socket)
        with pytest.raises(AgentRefused, match="an alarm drives siren"):
            await asyncio.to_thread(client.post, "self-test", **WHO)
        with pytest.raises(AgentRefused, match="test when it is over"):
            await asyncio.to_thread(client.post, "outputs/test", outputs=["siren"], **WHO)
