"""``anshao self-test``, ``confirm-test`` and ``proof-test``, against the real API over an agent in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.api import serve
from agent.cli.main import app
from tests.view import FakeView


@pytest.fixture
async def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeView]:
    fake = FakeView()
    monkeypatch.setenv("ANSHAO_SOCKET", str(tmp_path / "a.sock"))
    async with serve(fake, tmp_path / "a.sock"):
        yield fake


async def anshao(*words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--operator", "li"])
    return done.exit_code, done.output


async def test_a_self_test_is_started_and_confirmed(view: FakeView) -> None:
    assert (await anshao("self-test"))[0] == 0
    assert await anshao("confirm-test", "--not-heard", "--note", "horn silent") == (0, "confirmed\n")
    (_, starter), (_, heard, who) = view.done
    assert (starter.name, heard, who.note, who.via) == ("li", False, "horn silent", "cli")


async def test_a_proof_tells_each_leg_and_fails_with_1(view: FakeView) -> None:
    assert await anshao("proof-test", "all") == (
        0,
        "gate: passed (picture_to_facts 800 ms, rule 1000 ms, outputs 12.5 ms)\n",
    )
    code, text = await anshao("proof-test", "gate")
    assert code == 1 and "gate: FAILED: siren: read back False" in text
    assert json.loads((await anshao("proof-test", "all", "--json"))[1])[0]["passed"] is True
    code, text = await anshao("proof-test", "gat")
    assert code == 1 and "there is no 'gat'; did you mean 'gate'?" in text
