"""Rules changed under the real daemon while its siren sounds."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.plant import Plant, Press, running
from tests.acceptance.test_agent import STANDING, states, until, until_state

pytestmark = [pytest.mark.server, pytest.mark.slow]

MORE = "  - {id: more, kind: level, input: boiler.oxygen, name: More, limits: {H: {at: 90, priority: P4}}}\n"


async def until_rules(plant: Plant, holds: Callable[[dict[str, Any]], bool], limit_s: float = 20.0) -> dict[str, Any]:
    async with asyncio.timeout(limit_s):
        while True:
            found: dict[str, Any] = await plant.ask("rules")
            if holds(found):
                return found
            await asyncio.sleep(0.1)


async def occurrence(plant: Plant) -> tuple[str, str, int]:
    row = next(row for row in await plant.ask("alarms?all=1") if row["id"] == "feedwater.H")
    return row["state"], row["occurrence"], row["count"]


async def test_rules_are_edited_broken_pushed_and_rolled_back_under_a_sounding_siren(
    tmp_path: Path, press: Press
) -> None:
    file = tmp_path / "rules.yaml"
    async with running(tmp_path, press=press, camera=False, more_rules=STANDING) as plant:
        await until_state(plant, "feedwater.H", "unacknowledged")
        await until(lambda: plant.siren_on)
        first, before = (await plant.ask("rules"))["revision"], await occurrence(plant)
        good = file.read_text(encoding="utf-8")

        file.write_text(good + MORE, encoding="utf-8")
        edited = await until_rules(plant, lambda found: found["revision"] != first)
        assert edited["in_step"] and "more.H" in await states(plant)
        assert plant.siren_on and await occurrence(plant) == before

        file.write_text(good[: len(good) // 2] + "\n  - {id: [", encoding="utf-8")
        refused = await until_rules(plant, lambda found: found["rejected"] is not None)
        assert refused["revision"] == edited["revision"] and f"{file}:" in refused["rejected"]["faults"][0]
        await until_state(plant, "gateway.rules", "unacknowledged", limit_s=15.0)

        os.kill(plant.agent.pid, signal.SIGKILL)
        await plant.agent.stop()
        await plant.agent.start()
        await plant.until_up()
        assert (await plant.ask("rules"))["revision"] == edited["revision"], "the last good set goes on"
        await until(lambda: plant.siren_on)
        assert await occurrence(plant) == before

        file.write_text(good.replace(STANDING, ""), encoding="utf-8")
        await until_rules(plant, lambda found: "active now" in (found["rejected"] or {"reason": ""})["reason"])
        assert plant.siren_on and await occurrence(plant) == before

        who = {"operator": "li", "via": "cli", "note": "try"}
        files = {"rules.yaml": good + MORE.replace("90", "80")}
        pushed = await plant.ask("rules/push", **who, rules=["rules.yaml"], files=files)
        assert pushed["action"] == "applied" and [line[:6] for line in pushed["lines"]] == ["~ more"]
        back = await plant.ask("rules/rollback", **who)
        assert back["action"] == "rolled-back" and back["revision"] == edited["revision"]
        assert plant.siren_on and await occurrence(plant) == before

        events = [event for event in await plant.ask("events?limit=1000") if event["type"] == "anshao.rules.change.v1"]
        actions = [event["data"]["action"] for event in events]
        assert actions == ["applied", "rejected", "rejected", "rejected", "applied", "rolled-back"]
        assert events[-1]["rulesrev"] == edited["revision"] and events[-1]["data"]["operator"]["name"] == "li"
