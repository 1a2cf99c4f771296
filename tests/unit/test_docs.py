"""Every sample in the documents is read by the code that it is about."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import cast

import click
import pytest
import typer

from agent.app.plan import load_plan
from agent.cli.main import app
from agent.commands import Acting, Command, CommandOptions, Desk
from agent.commands.request import ARGUMENTS, read
from agent.core.clock import ManualClock
from agent.core.model import Action, Alarm, AlarmDefinition, Delays, EventDraft, Instant, Lane, Priority, Transition
from agent.journal.envelope import Identity, envelope
from agent.offers.options import OfferOptions
from agent.reports import alarm_event
from agent.uplink.mapping import load, messages
from agent.uplink.watermark import Confirmation
from tests.fakes import FakeRecorder

ROOT = Path(__file__).parents[2]
RULES = "rules:\n  - {id: gas, kind: level, input: furnace.gas, name: Gas, limits: {H: {at: 20, priority: P3}}}\n"


def samples(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


def test_the_samples_of_site_md_make_one_site(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("\n".join(samples("docs/site.md", "yaml")), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    plan = load_plan(tmp_path / "site.yaml")
    alarms = {rule.definition.id for rule in plan.rules}
    assert {"furnace.comms", "gate.blind", "siren.failed", "gateway.journal", "gateway.uplink", "gas.H"} <= alarms
    assert {"gate.persons", "gate.walkway.no_helmet", "gate.camera_ok", "furnace.online"} <= set(plan.points)


def test_the_samples_of_annunciation_md_go_with_those_of_site_md(tmp_path: Path) -> None:
    added = samples("docs/annunciation.md", "yaml")
    headings = {heading for sample in added for heading in re.findall(r"^(\w+):", sample, re.MULTILINE)}
    site = [
        sample
        for sample in samples("docs/site.md", "yaml")
        if not headings & set(re.findall(r"^(\w+):", sample, re.MULTILINE))
    ]
    (tmp_path / "site.yaml").write_text("\n".join([*site, *added]), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    plan = load_plan(tmp_path / "site.yaml")
    assert {"panel.held", "gateway.self_test", "gate.proof"} <= {rule.definition.id for rule in plan.rules}
    assert plan.annunciation.patterns[Priority.P1].longest_sound == 180.0
    assert [profile.name for profile in plan.annunciation.profiles] == ["night"]


def test_the_samples_of_cameras_md_are_a_site(tmp_path: Path) -> None:
    text = "\n".join(["gateway: {id: hall-3, site: works}", *samples("docs/cameras.md", "yaml")])
    (tmp_path / "site.yaml").write_text(text, encoding="utf-8")
    plan = load_plan(tmp_path / "site.yaml")
    assert {"gate.moved", "gate.dark", "drone.frozen"} <= {rule.definition.id for rule in plan.rules}
    assert plan.site.vision.cores == 1.5


def test_the_samples_of_uplink_md_are_sites(tmp_path: Path) -> None:
    commands, offers = samples("docs/commands.md", "yaml")
    (tmp_path / "site.yaml").write_text("gateway: {id: hall-3, site: works}\n" + offers, encoding="utf-8")
    taken = load_plan(tmp_path / "site.yaml").site.models.offers
    assert taken is not None and taken.hosts == ("models.centre.example",)
    assert set(OfferOptions.model_fields) <= set(re.findall(r"\w+", offers))
    for sample in [*samples("docs/uplink.md", "yaml"), commands]:
        (tmp_path / "site.yaml").write_text("gateway: {id: hall-3, site: works}\n" + sample, encoding="utf-8")
        assert "gateway.uplink" in {rule.definition.id for rule in load_plan(tmp_path / "site.yaml").rules}


def test_the_mapping_of_uplink_md_is_one(tmp_path: Path) -> None:
    (sample,) = samples("docs/uplink.md", "yaml mapping")
    (tmp_path / "mapping.yaml").write_text(sample, encoding="utf-8")
    data = {
        "action": "raised",
        "priority": 1,
        "post": "fire post",
        "name": {"en": "Gas"},
        "value": 41.5,
        "unit": "%LEL",
    }
    event = {"type": "anshao.alarm.transition.v1", "time": "2026-01-05T08:15:30+00:00", "data": data}
    (message,) = messages(load(tmp_path / "mapping.yaml"), json.dumps(event).encode(), "plant/works/hall-3")
    assert message.topic == "pager/fire_post_9de84eb7"
    assert json.loads(message.body) == {"text": "Gas: 41.5 %LEL", "at": 1767600930000}


def test_what_uplink_md_lets_a_centre_confirm_is_understood() -> None:
    acked, replay = (Confirmation.model_validate_json(sample) for sample in samples("docs/uplink.md", "json ack"))
    assert acked.acked_through == {Lane.ALARM: 1204, Lane.STATE: 88117} and replay.replay_from == {Lane.ALARM: 1190}


async def test_the_command_of_commands_md_is_one_and_its_answer_has_that_form() -> None:
    ((sample,), (answer,)) = (samples("docs/commands.md", f"json {name}") for name in ("command", "answer"))
    request, signed = read(sample.encode())
    assert request.command is Command.ACKNOWLEDGE and ARGUMENTS[request.command].model_validate(request.arguments)
    roles = {"roles": {"another": {"may": list(Command)}}}
    desk = Desk("hall-3", CommandOptions.model_validate(roles), cast(Acting, None), FakeRecorder(), ManualClock())
    assert set(json.loads(await desk.take(sample.encode(), "mqtt"))) == set(json.loads(answer))
    (arguments,) = map(json.loads, samples("docs/commands.md", "json arguments"))
    assert set(arguments) == set(Command)
    assert all(ARGUMENTS[Command(name)].model_validate(found) for name, found in arguments.items())
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert {f"`{command}`" for command in Command} <= set(re.findall(r"`[a-z]+`", text)) and b"signature" not in signed


def test_the_sample_of_models_change_md_is_part_of_a_site(tmp_path: Path) -> None:
    (sample,) = samples("docs/models-change.md", "yaml")
    (tmp_path / "site.yaml").write_text("gateway: {id: hall-3, site: works}\n" + sample, encoding="utf-8")
    assert set(load_plan(tmp_path / "site.yaml").site.models.trusted_keys) == {"works"}


def test_the_tour_of_the_readme_loads(tmp_path: Path) -> None:
    site, rules = samples("README.md", "yaml")
    (tmp_path / "site.yaml").write_text(site, encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    plan = load_plan(tmp_path / "site.yaml")
    assert {"furnace_hot.H", "furnace_hot.HH"} <= {rule.definition.id for rule in plan.rules}


def test_the_sample_of_sparkplug_md_is_a_site(tmp_path: Path) -> None:
    (sample,) = samples("docs/sparkplug.md", "yaml")
    (tmp_path / "site.yaml").write_text("gateway: {id: hall-3, site: works}\n" + sample, encoding="utf-8")
    plan = load_plan(tmp_path / "site.yaml")
    assert "gateway.sparkplug" in {rule.definition.id for rule in plan.rules}
    assert plan.site.sparkplug is not None
    options = type(plan.site.sparkplug).model_fields
    page = (ROOT / "docs/sparkplug.md").read_text(encoding="utf-8")
    assert set(options) - set(re.findall(r"`(\w+)`", page)) == {"brokers"}


def test_the_sample_event_has_the_fields_of_a_real_one() -> None:
    (sample,) = samples("docs/events.md", "json")
    now: Instant = ManualClock().now()
    draft = EventDraft("alarm.transition", Lane.ALARM, "gas.HH", {}, now)
    real = envelope(draft, Identity("hall-3", "works", "hall-3", "0.1.0"), 42, "")
    assert set(json.loads(sample)) == set(real)
    assert json.loads(sample)["source"] == real["source"] and json.loads(sample)["type"] == real["type"]


def test_events_md_names_every_action_and_every_field_of_a_transition() -> None:
    text = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_-]+)`", text)) | set(json.loads(samples("docs/events.md", "json")[0])["data"])
    now, alarm = ManualClock().now(), Alarm("gas.HH")
    definition = AlarmDefinition("gas.HH", "level", Priority.P1, {"en": "Gas"}, (), "")
    raised = Transition("gas.HH", "o", Action.RAISED, alarm.state, alarm.state, Priority.P1, 41.5, now)
    event = alarm_event(raised, alarm, definition, {}, Delays(0.0, 0.0, False))
    assert {str(action) for action in Action} - named == set()
    assert set(event.data) - named == {"raised_at"}


def commands(document: str) -> list[list[str]]:
    lines = re.findall(
        r"^ +(?:\.venv/bin/)?anshao ([a-z].*)$", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE
    )
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/cameras.md",
        "docs/commissioning.md",
        "docs/install.md",
        "docs/operating.md",
        "drivers/README.md",
        "docs/rules-change.md",
        "docs/models-change.md",
    ],
)
def test_every_command_of_the_documents_is_one(document: str) -> None:
    group = typer.main.get_command(app)
    for words in commands(document):
        command, name = group, "anshao"
        context = command.make_context(name, [], resilient_parsing=True)
        while isinstance(command, click.Group):
            found = command.get_command(context, words[0])
            assert found is not None, f"{document}: anshao {words}"
            command, name, words = found, words[0], words[1:]
            context = command.make_context(name, list(words), resilient_parsing=isinstance(command, click.Group))


def test_no_link_of_the_documents_is_dead() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")]
    dead = [
        f"{document.name}: {link}"
        for document in documents
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ]
    assert dead == []
