"""``anshao rules push`` and its like, against an agent in memory, over a real socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from agent.api import serve
from agent.cli.main import app
from tests.rulesets.rig import gas, text
from tests.view import FakeRules, FakeView


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRules]:
    """Serve in a thread, since the command line is synchronous."""
    fake, started, loop, stop = FakeView(), threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    monkeypatch.setenv("ANSHAO_SOCKET", str(tmp_path / "a.sock"))

    async def run() -> None:
        async with serve(fake, tmp_path / "a.sock"):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(5)
    assert isinstance(fake.rules, FakeRules)
    yield fake.rules
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def anshao(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_a_push_takes_includes_and_tests_along(rules: FakeRules, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("include: [more/gas.yaml]\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "gas.yaml").write_text(text(gas()))
    (tmp_path / "more" / "gas.test.yaml").write_text("rules: gas.yaml\n")
    code, told = anshao("rules", "push", str(tmp_path / "rules.yaml"), "--operator", "li", "--note", "why", "--force")
    assert code == 0 and told == "+ gas.H (P2): gas at or above 20\nnew runs\n"
    _, names, files, operator, force, rehearse = rules.done[0]
    assert names == ["rules.yaml"] and set(files) == {"rules.yaml", "more/gas.yaml", "more/gas.test.yaml"}
    assert (operator.name, operator.via, operator.note, force, rehearse) == ("li", "cli", "why", True, False)


def test_a_refusal_says_why_and_exits_with_1(rules: FakeRules, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(text(gas()))
    rules.answer |= {"action": "rejected", "faults": ["rules.yaml:2:3: wrong"], "lines": [], "reason": "1 fault(s)"}
    code, told = anshao("rules", "push", str(tmp_path / "rules.yaml"))
    assert code == 1 and told == "rules.yaml:2:3: wrong\nrejected, nothing was changed: 1 fault(s)\n"
    assert anshao("rules", "push", str(tmp_path / "absent.yaml"))[0] == 1
    assert anshao("rules", "rollback", "--operator", "li")[0] == 1 and rules.done[-1][0] == "rollback"


def test_what_was_done_is_shown(rules: FakeRules) -> None:
    assert anshao("rules", "status") == (0, "old runs\n")
    assert "applied      li (cli) why" in anshao("rules", "history")[1]
    assert anshao("rules", "diff", "older") == (0, "+ gas.H (P2): gas at or above 20\n")
    assert anshao("rules", "diff", "none")[0] == 1
    assert json.loads(anshao("rules", "status", "--json")[1])["in_step"] is True
    assert "rules" in anshao("status")[1]


async def test_the_api_refuses_what_makes_no_sense(rules: FakeRules, tmp_path: Path) -> None:
    connector = aiohttp.UnixConnector(str(tmp_path / "a.sock"))
    async with aiohttp.ClientSession("http://agent/v1/rules/", connector=connector) as session:
        async with session.post("push", json={"operator": "li", "rules": [], "files": {}}) as answer:
            assert answer.status == 400
        body = {"operator": "li", "rules": ["a"], "files": {"a": "x" * 200_000}}
        async with session.post("push", json=body) as answer:
            assert answer.status == 200, "a set may be larger than other commands"
        async with session.post("rollback", json={}) as answer:
            assert answer.status == 400
