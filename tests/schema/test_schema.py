"""What the document says of events holds for real ones, of every kind."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jsonschema import Draft7Validator

from agent.app.cameras import CamerasDesk
from agent.app.modelsets.offers import Offers
from agent.app.modelsets.telling import Teller
from agent.app.parts import Parts
from agent.app.plan import load_plan
from agent.app.proof import Prover
from agent.app.rulesets.store import RuleStore
from agent.app.wiring import Agent
from agent.core.clock import ManualClock, SystemClock
from agent.core.errors import NotConnected
from agent.core.hazard import Handling, Hazard
from agent.core.model import EventDraft, Operator, Priority
from agent.coverage import Span
from agent.evidence.events import gone_events
from agent.evidence.quota import doomed
from agent.journal import Identity, Journal
from agent.journal.envelope import encode, envelope
from agent.offers import Offer
from agent.operations import Operations
from agent.policy import Policy
from agent.schema import asyncapi
from agent.schema.asyncapi import schema
from agent.schema.events import KINDS
from tests.commands.test_desk import Rig as Commands
from tests.evidence.rig import Rig as Evidence
from tests.fakes import FakeRecorder, until
from tests.sparkplug.test_commands import commanded

ROOT = Path(__file__).parents[2]
WHO, LI = Identity("gw", "works", "hall", "0.1"), Operator("Li Wei", "hmi", "known")
SITE = """
gateway: {id: gw, site: works}
rules: [rules.yaml]
devices:
  plant:
    protocol: simulated
    poll: 50ms
    points:
      gas: {value: 50}
      level: {value: 9}
      siren: {value: false, writable: true}
      red: {value: false, writable: true}
outputs: {siren: {kind: siren, point: plant.siren}, red: {kind: red, point: plant.red}}
self_test: {outputs: [siren], seconds: 0.2, at: "daily 00:00"}
"""
RULES = """rules:
  - {id: gas, kind: level, input: plant.gas, name: Gas, limits: {H: {at: 40, priority: P2}}, outputs: [red]}
  - {id: level, kind: level, input: plant.level, name: Level, limits: {H: {at: 5, priority: P2}}, outputs: [red]}
"""


def closed(found: Any) -> Any:
    """Return a schema in which no field may stand that it does not name."""
    if isinstance(found, list):
        return [closed(each) for each in found]
    if not isinstance(found, dict):
        return found
    made = {name: closed(each) for name, each in found.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "type" in made else made


def faults(event: dict[str, Any]) -> list[str]:
    """Return what an event has that its schema has not, or the other way round."""
    kind = event["type"].removeprefix("anshao.").removesuffix(".v1")
    found = closed(schema(kind))
    found.pop("allOf")  # an envelope and its data are closed apart: each would refuse the other's fields
    lane, data = KINDS[kind]
    name = data.__name__ if data is not None else "FilePart"
    own = event["data"] if data is not None else {key: event[key] for key in event if key in _fields(found, name)}
    told = [error.message for error in _errors(found, name, own)]
    rest = {key: value for key, value in event.items() if key != "data" and (data is not None or key not in own)}
    rest = {key: value for key, value in rest.items() if key not in ("journalseq", "hash")}
    told += [error.message for error in _errors(found, "Envelope", rest)]
    told += [error.message for error in Draft7Validator(schema(kind)).iter_errors(event)]
    return [f"{kind}: {each}" for each in told] + ([f"{kind} on {event['lane']}"] if event["lane"] != lane else [])


def _fields(found: dict[str, Any], name: str) -> set[str]:
    return set(found["components"]["schemas"][name]["properties"])


def _errors(found: dict[str, Any], name: str, value: Any) -> list[Any]:
    return list(Draft7Validator({**found, "$ref": f"#/components/schemas/{name}"}).iter_errors(value))


def sent(drafts: list[EventDraft]) -> list[dict[str, Any]]:
    """Return events as they are sent."""
    return [json.loads(encode(envelope(draft, WHO, 1, ""))) for draft in drafts]


async def of_an_agent(folder: Path) -> list[dict[str, Any]]:
    """A small plant, and people who do what people do."""
    (folder / "site.yaml").write_text(SITE)
    (folder / "rules.yaml").write_text(RULES)
    agent, stop = (
        Agent(load_plan(folder / "site.yaml"), folder, folder / "s", RuleStore(folder / "rules")),
        asyncio.Event(),
    )
    task = asyncio.create_task(agent.run(stop))
    gateway, engine = agent.gateway, agent.pipeline.engine
    await until(lambda: {"gas.H", "level.H"} <= set(engine.standing), limit_s=10.0)
    hazard = Hazard("YH-1", Handling.ASSIGNED, "o", agent.clock.now().utc, "Zhao", "mqtt", deadline=date(2026, 1, 12))
    agent.pipeline.tell_hazard("gas.H", hazard, LI)
    gateway.silence(None, LI)
    gateway.operations.shelve("level.H", 60.0, LI)
    gateway.operations.take_out("gas.H", "Wang Fang", LI)
    gateway.test_outputs(0.2, None, LI)
    agent.trials.start_self_test(LI)
    await until(lambda: agent.trials.confirm_test(True, LI), limit_s=10.0)
    await gateway.rules.push(["rules.yaml"], {"rules.yaml": RULES.replace("at: 40", "at: 45")}, LI, True, False)
    gateway.operations.publish()
    await agent.journal.settled()
    events = await agent.journal.events(1000)
    stop.set()
    await task
    return events


async def of_evidence(folder: Path) -> list[dict[str, Any]]:
    rig = Evidence(folder)
    async with rig.running():
        rig.evidence.request("gate", "snapshot")
        await rig.until("evidence.file", 2)
        events = await rig.journal.events(1000)
        carried = [json.loads(await rig.evidence.attach(encode(event))) for event in events]
    later = datetime.now(UTC) + timedelta(days=999)
    gone = doomed(rig.evidence._shelf.orders.values(), rig.evidence._options, later)
    return [*carried, *sent(list(gone_events(gone, rig.clock.now())))]


async def of_commands(folder: Path) -> list[dict[str, Any]]:
    rig = Commands(folder)
    await rig.ask("acknowledge", arguments={"alarm": "gas"})
    await rig.ask("silence", "2", role="nobody")
    return sent(rig.recorder.events)


async def of_what_is_rare(folder: Path) -> list[dict[str, Any]]:
    """Parts that would need cameras, floods and damaged disks to be seen, each asked by itself."""
    recorder, clock = FakeRecorder(), ManualClock()

    class Blind:
        async def prove(self) -> Any:
            raise NotConnected("no worker")

    plan = SimpleNamespace(site=SimpleNamespace(cameras={"gate": None}), drivers={"gate": Blind()})
    tester = SimpleNamespace(pipeline=SimpleNamespace(ingest=lambda _: None))
    await Prover(cast(Any, plan), lambda: [], cast(Any, None), cast(Any, tester), recorder, clock).prove("gate", LI)
    desk = CamerasDesk(
        cast(Any, SimpleNamespace(drivers={}, site=SimpleNamespace(cameras={}, policy=Policy()))),
        cast(Parts, SimpleNamespace(clock=clock, journal=recorder)),
    )
    desk._publish(Span("early", "A", clock.now().utc, {"bare": (60, 58)}), is_over=True)
    Teller(recorder, clock)("shadowed", "gate", "m/1", LI, "it does not load", comparison={"pictures": 9})
    site: Any = SimpleNamespace(knows=lambda _: True)
    offered = Offer("o1", "gate", "m", "1.0.0", "5" * 64, "Li Wei", "mqtt")
    Offers(site, site, lambda _: None, folder, 60.0, recorder, clock).accept(offered)
    operations = Operations(Policy(), clock.now())
    for _ in range(20):
        operations.flood.raised("hall", Priority.P3, clock.now().mono_s)
    drafts = [*recorder.events, *operations.look(clock.now())]
    with Journal(folder / "rare.db", WHO, SystemClock()) as journal:
        journal.record([EventDraft("test", drafts[0].lane, "x", {}, clock.now())], ())
        row = (await journal.pending(1))[0]
        await journal.quarantine(row, "poison")
        await journal.settled()
        losses = [event for event in await journal.events(10) if event["type"] == "anshao.loss.v1"]
    return [*sent(drafts), *losses]


async def of_sparkplug(folder: Path) -> list[dict[str, Any]]:
    """A host that writes, one that may not, and one that floods."""
    del folder
    async with commanded() as plant:
        plant.asks("pump", "speed", 40.5)
        plant.asks("fan", "siren", value=True)
        plant.asks("fan", "siren", value=True)
        await plant.settles()
        plant.clock.advance(10.0)
        plant.commands.refuse("gateway", {"messages": 3}, "more came at once than can be looked at")
        assert {"ordered", "done", "refused"} <= set(plant.results) and "also_refused" in plant.told[-1].data
        return sent(plant.told)


async def test_events_of_every_kind_are_as_the_document_says(tmp_path: Path) -> None:
    sources = (of_an_agent, of_evidence, of_commands, of_sparkplug, of_what_is_rare)
    events = []
    for number, source in enumerate(sources):
        folder = tmp_path / str(number)
        folder.mkdir()
        events += await source(folder)
    told = [event for event in events if event["type"] in {f"anshao.{kind}.v1" for kind in KINDS}]
    assert sorted({fault for event in told for fault in faults(event)}) == []
    assert {event["type"].split(".", 1)[1].removesuffix(".v1") for event in told} == set(KINDS)


def test_a_field_more_or_less_is_noticed() -> None:
    """The judge judges: what is not in the document, and what is missing, is told."""
    (event,) = sent([EventDraft("device.state", KINDS["device.state"].lane, "plant", _DEVICE, ManualClock().now())])
    assert faults(event) == []
    for broken in ({**_DEVICE, "more": 1}, {"device_id": "plant", "online": True}, {**_DEVICE, "online": "yes"}):
        assert faults({**event, "data": broken}) != []
    assert faults({**event, "more": 1}) != [] and faults({**event, "lane": "alarm"}) != []


_DEVICE = {"device_id": "plant", "online": True, "reason": ""}


def test_the_committed_document_is_what_the_code_says() -> None:
    text = (ROOT / "docs/asyncapi.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(asyncapi())), "run make asyncapi"


def test_every_reference_leads_somewhere_and_every_kind_is_documented() -> None:
    document = asyncapi()
    missing = [ref for ref in _refs(document) if _at(document, ref) is None]
    assert missing == []
    text = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_schema_is_one(kind: str) -> None:
    Draft7Validator.check_schema(deepcopy(schema(kind)))


def _refs(found: Any) -> list[str]:
    if isinstance(found, list):
        return [ref for each in found for ref in _refs(each)]
    if isinstance(found, dict):
        own = [found["$ref"]] if isinstance(found.get("$ref"), str) else []
        return own + [ref for each in found.values() for ref in _refs(each)]
    return []


def _at(document: Any, ref: str) -> Any:
    for step in ref.removeprefix("#/").split("/"):
        document = document.get(step) if isinstance(document, dict) else None
    return document
