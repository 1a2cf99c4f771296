"""Commands: who may ask for what, once, in time, and never for the silence of a P1."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.commands import CommandOptions, Desk
from agent.commands.desk import _MOST_REFUSALS
from agent.commands.request import read, sign
from agent.core.clock import ManualClock
from agent.core.errors import NotAllowed
from agent.core.hazard import Hazard
from agent.core.model import Alarm, AlarmDefinition, AlarmState, Operator, Priority, Value
from agent.offers import Offer
from tests.fakes import FakeRecorder

HAZARD = {"alarm": "gas", "occurrence": "o1", "hazard": "YH-31", "status": "rectifying", "deadline": "2026-01-12"}
OFFER = {"camera": "gate", "name": "ppe", "version": "1.0.1", "sha256": "5" * 64}
KEY = "correct horse battery staple"


class Plant:
    """Implements ``Acting``; writes down what was done."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.alarms = {
            id_: AlarmDefinition(id_, "level", priority, {"en": id_}, (), "")
            for id_, priority in {"fire": Priority.P1, "gas": Priority.P2, "level": Priority.P3}.items()
        }

    def definition(self, alarm: str) -> AlarmDefinition:
        return self.alarms[alarm]

    def standing(self) -> list[tuple[AlarmDefinition, Alarm]]:
        return [(each, Alarm(each.id, AlarmState.UNACKNOWLEDGED, active=True)) for each in self.alarms.values()]

    def acknowledge(self, alarm: str, operator: Operator) -> bool:
        if not operator.note:
            raise NotAllowed("needs a reason")
        self.done.append(("acknowledge", alarm, operator))
        return True

    def silence(self, alarm: str, operator: Operator) -> int:
        self.done.append(("silence", alarm, operator))
        return 1

    def shelve(self, alarm: str, seconds: float, operator: Operator) -> bool:
        self.done.append(("shelve", alarm, seconds))
        return True

    def unshelve(self, alarm: str, operator: Operator) -> bool:
        self.done.append(("unshelve", alarm))
        return True

    def request(self, camera: str, kind: str) -> str:
        if camera != "gate":
            raise KeyError(camera)
        self.done.append((kind, camera))
        return f"1.{camera}/{kind}"

    def send(self, evidence: str) -> int:
        self.done.append(("send", evidence))
        return 3

    def tell_hazard(self, alarm: str, hazard: Hazard, operator: Operator) -> bool:
        self.done.append(("hazard", self.alarms[alarm].id, hazard.status, hazard.by, hazard.occurrence))
        return False

    def offer(self, offer: Offer) -> dict[str, Value]:
        if offer.camera != "gate":
            raise KeyError(offer.camera)
        self.done.append(("offer", offer))
        return {"offer": offer.id, "step": "accepted"}

    def withdraw(self, camera: str) -> dict[str, Value]:
        raise NotAllowed(f"there is nothing to withdraw: no offer for {camera} waits")

    def revisions(self) -> dict[str, str]:
        return {"software": "1", "config": "2", "rules": "3"}

    async def settle(self) -> None:
        """There is no disk."""


class Rig:
    def __init__(self, folder: Path, **options: Any) -> None:
        (folder / "key").write_text(KEY)
        (folder / "key").chmod(0o600)
        roles = {
            "dispatcher": {
                "may": [
                    "acknowledge",
                    "silence",
                    "shelve",
                    "unshelve",
                    "snapshot",
                    "evidence",
                    "revision",
                    "offer",
                    "withdraw",
                    "hazard",
                ]
            },
            "viewer": {"may": ["revision"]},
            "signed": {"may": ["silence"], "key": {"file": folder / "key"}},
        }
        self.clock, self.recorder, self.plant = ManualClock(), FakeRecorder(), Plant()
        self.options = CommandOptions.model_validate({"roles": roles, **options})
        self.restart()

    def restart(self) -> None:
        """Begin anew with what the journal holds."""
        self.desk = Desk("gw", self.options, self.plant, self.recorder, self.clock)
        for event in self.recorder.events:
            self.desk.remember({"data": json.loads(json.dumps(event.data))})

    def body(self, command: str, id_: str = "1", arguments: Any = None, **fields: Any) -> dict[str, Any]:
        expires = (self.clock.now().utc + timedelta(seconds=60)).isoformat()
        who = {"role": "dispatcher", "operator": "Li Wei", "note": "seen on the screen"}
        told = {"id": id_, "gateway": "gw", "command": command, "nonce": f"the-nonce-{id_}", "expires": expires}
        return {**told, **who, "arguments": arguments or {}, **fields}

    async def ask(self, command: str, id_: str = "1", arguments: Any = None, **fields: Any) -> dict[str, Any]:
        return await self.give(self.body(command, id_, arguments, **fields))

    async def give(self, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.desk.take(json.dumps(body).encode(), "mqtt"))
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.parametrize(
    ("command", "arguments", "answer"),
    [
        ("acknowledge", {"alarm": "gas"}, {"acknowledged": True}),
        ("silence", {"alarm": "gas"}, {"silenced": 1, "left": 0}),
        ("shelve", {"alarm": "level", "seconds": 600}, {"shelved": True}),
        ("unshelve", {"alarm": "level"}, {"unshelved": True}),
        ("snapshot", {"camera": "gate"}, {"evidence": "1.gate/snapshot"}),
        ("evidence", {"evidence": "1.gate/clip"}, {"parts": 3}),
        ("hazard", HAZARD, {"recurs": False}),
        ("offer", OFFER, {"offer": "1", "step": "accepted"}),
        ("revision", {}, {"software": "1", "config": "2", "rules": "3"}),
    ],
)
async def test_what_may_be_asked_for_is_done_answered_and_journalled(
    rig: Rig, command: str, arguments: dict[str, Any], answer: dict[str, Any]
) -> None:
    told = await rig.ask(command, arguments=arguments)
    assert (told["id"], told["result"], told["reason"], told["answer"]) == ("1", "done", "", answer)
    (event,) = rig.recorder.events
    assert (event.kind, event.subject, event.data["result"], event.data["arguments"]) == (
        *("command", command, "done", arguments),
    )
    assert event.data["operator"] == {"name": "Li Wei", "via": "mqtt", "note": "seen on the screen"}


async def test_the_operator_comes_from_afar(rig: Rig) -> None:
    await rig.ask("acknowledge", arguments={"alarm": "gas"})
    assert rig.plant.done == [("acknowledge", "gas", Operator("Li Wei", "mqtt", "seen on the screen"))]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("silence", {"alarm": "fire"}),
        ("acknowledge", {"alarm": "fire"}),
        ("shelve", {"alarm": "fire", "seconds": 60}),
    ],
)
async def test_a_p1_is_silent_on_site_only_unless_the_site_says_otherwise(
    rig: Rig, tmp_path: Path, command: str, arguments: dict[str, Any]
) -> None:
    told = await rig.ask(command, arguments=arguments)
    assert told["result"] == "refused" and "P1" in told["reason"] and "allow_p1_silence" in told["reason"]
    assert rig.plant.done == []
    assert (await Rig(tmp_path, allow_p1_silence=True).ask(command, arguments=arguments))["result"] == "done"


async def test_silence_for_all_leaves_the_p1_sounding_and_says_so(rig: Rig) -> None:
    told = await rig.ask("silence")
    assert told["answer"] == {"silenced": 2, "left": 1}
    assert [alarm for _, alarm, _ in rig.plant.done] == ["gas", "level"]


async def test_the_same_command_is_done_once_and_answered_alike_also_after_a_restart(rig: Rig) -> None:
    first = await rig.ask("silence", arguments={"alarm": "gas"})
    body = rig.body("silence", arguments={"alarm": "gas"})
    rig.clock.advance(1.0)
    assert await rig.give(body) == first
    rig.restart()
    rig.clock.advance(600.0)  # it has expired meanwhile, and was done before that
    assert await rig.give(body) == first
    assert len(rig.plant.done) == 1 and len(rig.recorder.events) == 1


async def test_an_id_or_a_nonce_of_another_command_is_refused(rig: Rig) -> None:
    await rig.ask("silence", arguments={"alarm": "gas"})
    told = await rig.ask("silence", arguments={"alarm": "level"})
    assert told["result"] == "refused" and "this id was another command's" in told["reason"]
    rig.restart()
    told = await rig.ask("silence", "2", {"alarm": "level"}, nonce="the-nonce-1")
    assert told["result"] == "refused" and "replay" in told["reason"]
    assert len(rig.plant.done) == 1


async def test_what_is_too_old_too_long_or_of_an_unknown_time_is_refused(rig: Rig) -> None:
    now = rig.clock.now().utc
    for seconds, words in ((-1, "it expired at"), (301, "valid for more than 300 s")):
        told = await rig.ask("silence", str(seconds), expires=(now + timedelta(seconds=seconds)).isoformat())
        assert told["result"] == "refused" and words in told["reason"]
    told = await rig.ask("silence", "naive", expires="2026-01-05T08:00:00")
    assert told["result"] == "refused" and "expires" in told["reason"]
    rig.clock.step_utc((datetime(2001, 1, 1, tzinfo=UTC) - now).total_seconds())
    told = await rig.ask("silence", "unset")
    assert told["result"] == "refused" and "clock was never set" in told["reason"]
    assert rig.plant.done == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gateway": "other"}, "it is for 'other', and this is 'gw'"),
        ({"role": "boss"}, "there is no role 'boss' here"),
        ({"role": "viewer"}, "the role 'viewer' may not silence"),
        ({"role": "signed"}, "the signature is not this command's"),
        ({"arguments": {"alarm": "gsa"}}, "there is no 'gsa'"),
        ({"arguments": {"alram": "gas"}}, "alram: Extra inputs are not permitted"),
        ({"command": "reboot"}, "command: Input should be 'acknowledge'"),
        ({"command": "acknowledge", "arguments": {"alarm": "gas"}, "note": ""}, "needs a reason"),
        ({"command": "snapshot", "arguments": {"camera": "moon"}}, "there is no 'moon'"),
        ({"command": "hazard", "arguments": {**HAZARD, "status": "rejected"}}, "rejected needs a 'reason'"),
        ({"command": "hazard", "arguments": {**HAZARD, "status": "done"}}, "status: Input should be 'registered'"),
        ({"command": "hazard", "arguments": {**HAZARD, "alarm": "gsa"}}, "there is no 'gsa'"),
        ({"command": "offer", "arguments": {**OFFER, "sha256": "5" * 63}}, "sha256: String should match pattern"),
        ({"command": "offer", "arguments": {**OFFER, "name": "../ppe"}}, "name: String should match pattern"),
        ({"command": "offer", "arguments": {**OFFER, "camera": "moon"}}, "there is no 'moon'"),
        ({"command": "offer", "arguments": OFFER, "role": "viewer"}, "the role 'viewer' may not offer"),
        ({"command": "withdraw", "arguments": {"camera": "gate"}}, "no offer for gate waits"),
        ({"operator": ""}, "operator: String should have at least 1 character"),
    ],
)
async def test_what_is_not_permitted_is_refused_in_words_and_journalled(
    rig: Rig, fields: dict[str, Any], words: str
) -> None:
    told = await rig.give({**rig.body("silence"), **fields})
    assert (told["id"], told["result"], rig.plant.done) == ("1", "refused", []) and words in told["reason"]
    assert [event.data["reason"] for event in rig.recorder.events] == [told["reason"]]


async def test_a_signed_command_is_done_and_an_altered_one_is_not(rig: Rig) -> None:
    body = rig.body("silence", arguments={"alarm": "gas"}, role="signed")
    body["signature"] = sign(KEY, read(json.dumps(body).encode())[1])
    altered = await rig.give({**body, "arguments": {"alarm": "level"}})
    assert altered["result"] == "refused" and rig.plant.done == []
    assert (await rig.give(body))["result"] == "done", "what somebody made of it has not used up its id"


async def test_a_flood_from_nobody_does_not_fill_the_journal(rig: Rig) -> None:
    for number in range(200):
        assert (await rig.ask("silence", str(number), role="nobody"))["result"] == "refused"
    assert len(rig.recorder.events) == _MOST_REFUSALS
    rig.clock.advance(61.0)
    await rig.ask("silence", "last", role="nobody")
    assert rig.recorder.events[-1].data["unrecorded"] == 200 - _MOST_REFUSALS


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode) | st.just(b"[" * 20_000))
async def test_rubbish_is_answered_and_does_nothing(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    rig = Rig(tmp_path_factory.getbasetemp())
    assert json.loads(await rig.desk.take(body, "mqtt"))["result"] == "refused"
    assert rig.plant.done == []
