from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.api import serve
from tests.rows import event
from tests.view import FakeView


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[FakeView]:
    fake = FakeView()
    async with serve(fake, tmp_path / "a.sock"):
        yield fake


@pytest.fixture
async def http(tmp_path: Path, view: FakeView) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(str(tmp_path / "a.sock"))
    async with aiohttp.ClientSession("http://agent/v1/", connector=connector) as session:
        yield session


async def answer(response: Any) -> tuple[int, Any]:
    async with response as found:
        return found.status, await found.json()


async def test_reads(http: aiohttp.ClientSession) -> None:
    assert (await answer(http.get("status")))[1]["gateway"]["id"] == "gw"
    assert len((await answer(http.get("points")))[1]) == 2
    assert [row["id"] for row in (await answer(http.get("alarms")))[1]] == ["gas.HH", "bare_head", "level.L"]
    assert len((await answer(http.get("alarms?all=1")))[1]) == 4
    assert [each["seq"] for each in (await answer(http.get("events?limit=2")))[1]] == [2, 3]


async def test_acts_in_the_name_of_somebody(http: aiohttp.ClientSession, view: FakeView) -> None:
    who = {"operator": "li", "via": "hmi", "note": "seen"}
    assert await answer(http.post("alarms/gas.HH/acknowledge", json=who)) == (200, {"acknowledged": True})
    assert await answer(http.post("alarms/gas.HH/acknowledge", json=who)) == (200, {"acknowledged": False})
    assert await answer(http.post("silence", json=who)) == (200, {"silenced": 2})
    assert await answer(http.post("outputs/test", json={**who, "seconds": 2, "outputs": ["siren"]})) == (
        200,
        {"testing": 2.0},
    )
    assert [act[0] for act in view.done] == [
        "acknowledge",
        "settle",
        "acknowledge",
        "settle",
        "silence",
        "settle",
        "test",
    ]
    assert view.done[0][2].name == "li" and view.done[0][2].via == "hmi" and view.done[0][2].note == "seen"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("alarms/gas.HH/acknowledge", {"operator": "li"}, 409, "to acknowledge gas.HH needs a reason"),
        ("alarms/gas.HH/acknowledge", {"operator": "li", "via": "button"}, 400, "not the way you came"),
        ("alarms/gas.HH/shelve", {"operator": "li", "note": "x", "seconds": 60}, 409, "cannot be shelved for so long"),
        ("alarms/gas.HH/shelve", {"operator": "li", "note": "x"}, 400, "seconds: Field required"),
        ("alarms/gas.H/unshelve", {"operator": "li"}, 404, "did you mean 'gas.HH'?"),
        ("alarms/gas.HH/acknowledge", {}, 400, "operator: Field required"),
        ("alarms/gas.HH/acknowledge", {"operator": ""}, 400, "operator"),
        ("alarms/gas.HH/acknowledge", {"operator": "li", "nots": ""}, 400, "nots: Extra inputs"),
        ("alarms/gas.H/acknowledge", {"operator": "li"}, 404, "there is no 'gas.H'; did you mean 'gas.HH'?"),
        ("outputs/test", {"operator": "li", "seconds": 999}, 400, "less than or equal to 60"),
        ("nothing", {}, 404, "POST /v1/nothing: Not Found"),
    ],
)
async def test_says_what_is_wrong(
    http: aiohttp.ClientSession, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    found, told = await answer(http.post(path, json=body))
    assert found == status and words in told["error"]


async def test_shelf_and_service(http: aiohttp.ClientSession, view: FakeView) -> None:
    who = {"operator": "li", "via": "hmi", "note": "sensor is cleaned"}
    shelved = await answer(http.post("alarms/level.L/shelve", json={**who, "seconds": 600}))
    assert shelved == (200, {"shelved": True}) and view.done[-1] == ("settle",)
    out = await answer(http.post("alarms/bare_head/out-of-service", json={**who, "second": "wang"}))
    assert out == (200, {"out_of_service": True}) and view.done[-2][2] == "wang"
    removed = (await answer(http.get("removed")))[1]
    assert [(row["id"], row["state"], row["by"]) for row in removed] == [
        ("bare_head", "out-of-service", "li"),
        ("level.L", "shelved", "li"),
    ]
    assert await answer(http.post("alarms/level.L/unshelve", json=who)) == (200, {"unshelved": True})
    assert await answer(http.post("alarms/level.L/unshelve", json=who)) == (200, {"unshelved": False})
    assert await answer(http.post("alarms/bare_head/in-service", json=who)) == (200, {"in_service": True})
    assert (await answer(http.get("removed")))[1] == []


async def test_cameras(http: aiohttp.ClientSession, view: FakeView) -> None:
    assert await answer(http.post("cameras/gate/accept", json={"operator": "li"})) == (200, {"accepted": "gate"})
    assert view.done[-2][:2] == ("accept", "gate")
    assert (await answer(http.post("cameras/gat/accept", json={"operator": "li"})))[0] == 404
    status, found = await answer(http.get("coverage"))
    assert status == 200 and (found[0]["rule"], found[0]["watched"], found[0]["minutes"]) == ("ppe", 45, 60)


async def test_figures(http: aiohttp.ClientSession) -> None:
    status, found = await answer(http.get("kpi"))
    assert status == 200 and found["spans"].keys() == {"24h", "30d"} and found["crew"] == "crew B"


async def test_garbage_is_a_400(http: aiohttp.ClientSession) -> None:
    status, told = await answer(http.post("silence", data=b"\xff{"))
    assert status == 400 and "JSON" in told["error"]


async def test_pictures(http: aiohttp.ClientSession, view: FakeView) -> None:
    assert (await answer(http.get("cameras/gate/picture")))[0] == 503
    view.jpeg = b"\xff\xd8jpeg"
    async with http.get("cameras/gate/picture") as response:
        assert response.content_type == "image/jpeg" and await response.read() == view.jpeg
    assert (await answer(http.get("cameras/gat/picture")))[1]["error"] == "there is no 'gat'; did you mean 'gate'?"


async def test_the_stream_tells_as_it_happens(http: aiohttp.ClientSession, view: FakeView) -> None:
    async with http.get("stream") as response:
        view.events_.put_nowait(event(9))
        async with asyncio.timeout(3.0):
            line = await response.content.readline()
    assert json.loads(line.removeprefix(b"data: "))["seq"] == 9


async def test_half_a_surrogate_pair_breaks_no_stream(http: aiohttp.ClientSession, view: FakeView) -> None:
    async with http.get("stream") as response:
        view.events_.put_nowait({**event(9), "data": {"value": "\udc80 \ud83d 气体"}})
        view.events_.put_nowait(event(10))
        async with asyncio.timeout(3.0):
            lines = [await response.content.readline() for _ in range(3)]
    assert json.loads(lines[0].removeprefix(b"data: "))["data"]["value"] == "\udc80 \ud83d 气体"
    assert "气体".encode() in lines[0] and json.loads(lines[2].removeprefix(b"data: "))["seq"] == 10


async def test_a_second_agent_is_refused_and_a_dead_ones_socket_is_taken(tmp_path: Path, view: FakeView) -> None:
    with pytest.raises(OSError, match=r"listens at .* already; stop it, or give this one another --socket"):
        async with serve(FakeView(), tmp_path / "a.sock"):
            pass
    (tmp_path / "dead.sock").touch()
    async with serve(FakeView(), tmp_path / "dead.sock"):
        assert (tmp_path / "dead.sock").stat().st_mode & 0o777 == 0o660


async def test_explains_an_alarm(http: aiohttp.ClientSession) -> None:
    status, told = await answer(http.get("alarms/gas.HH/explanation"))
    assert status == 200 and told["inputs"] == ["room.gas = 41.5, good, 0.3 s old"]
    assert await answer(http.get("alarms/gas.H/explanation")) == (
        404,
        {"error": "there is no 'gas.H'; did you mean 'gas.HH'?"},
    )


async def test_evidence(http: aiohttp.ClientSession, view: FakeView) -> None:
    rows = (await answer(http.get("evidence?alarm=bare_head")))[1]
    assert [row["kind"] for row in rows] == ["annotated", "original"]
    assert (await answer(http.get("evidence?alarm=gas.HH")))[1] == []
    async with http.get("evidence/e1.gate/annotated") as response:
        assert response.content_type == "image/jpeg" and await response.read() == view.evidence.jpeg
    assert (await answer(http.get("evidence/e1.gate/original")))[0] == 409
    assert (await answer(http.post("evidence/e1.gate/original", json={"operator": "wang"})))[0] == 409
    async with http.post("evidence/e1.gate/original", json={"operator": "li"}) as response:
        assert await response.read() == view.evidence.jpeg
    assert await answer(http.post("evidence/e1.gate/annotated/send", json={"operator": "li"})) == (200, {"parts": 1})
    assert (await answer(http.post("evidence/e1.gate/annotated/send", json={})))[0] == 400
    assert (await answer(http.get("evidence/e9/clip")))[0] == 404
    view.evidence.fault = "altered: its sha256 is another"
    assert (await answer(http.get("evidence/e1.gate/annotated")))[0] == 409


async def test_models_are_swapped_by_somebody_only(http: aiohttp.ClientSession) -> None:
    assert (await answer(http.get("models")))[1]["kept"] == ["ppe/1.0.1"]
    body = {"camera": "gate", "model": "ppe/1.0.1"}
    assert (await answer(http.post("models/activate", json=body)))[0] == 400  # nobody's name
    status, told = await answer(http.post("models/activate", json={**body, "operator": "li"}))
    assert (status, told["action"]) == (200, "activated")
    assert (await answer(http.post("models/activate", json={**body, "camera": "x", "operator": "li"})))[0] == 404
