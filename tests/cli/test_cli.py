"""The command line against an agent in memory, over a real socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.api import serve
from agent.cli import kpi_tables, tables
from agent.cli.main import app
from agent.core.hazard import Handling
from tests.rows import hazard_of
from tests.view import FakeView


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeView]:
    """Serve in a thread, since the command line is synchronous."""
    fake, started, loop = FakeView(), threading.Event(), asyncio.new_event_loop()
    socket = tmp_path / "a.sock"
    monkeypatch.setenv("ANSHAO_SOCKET", str(socket))
    stop = asyncio.Event()

    async def run() -> None:
        async with serve(fake, socket):
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert started.wait(5)
    yield fake
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def anshao(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_status_for_people_and_for_programs(view: FakeView) -> None:
    code, text = anshao("status")
    assert code == 0
    for words in (
        "gw  works/hall",
        "P1 1, P2 1, P3 1",
        "2 unacknowledged",
        "offline mqtt://centre",
        "online mqtt://scada",
        "up 62min",
        "siren",
        "granted 2.5 of 5 pictures a second",
    ):
        assert words in text
    assert json.loads(anshao("status", "--json")[1])["gateway"]["id"] == "gw"


def test_points_can_be_filtered_and_say_why_they_are_bad(view: FakeView) -> None:
    code, text = anshao("points", "lost")
    assert code == 0 and "illegal data address" in text and "room.gas" not in text
    assert [row["id"] for row in json.loads(anshao("points", "--json")[1])] == ["room.gas", "room.lost"]


def test_alarms_speak_the_language_of_the_gateway(view: FakeView) -> None:
    assert "Alarm gas.HH" in anshao("alarms")[1]
    view.language = "zh"
    assert "报警 gas.HH" in anshao("alarms")[1]


def test_in_80_columns_no_id_and_no_state_of_an_alarm_is_cut(
    view: FakeView, capsys: pytest.CaptureFixture[str]
) -> None:
    view.rows[0] |= {"id": "boiler_pressure.HH", "first_out": True}
    view.rows[1] |= {"id": "bare_head_at_press", "state": "returned-unacknowledged"}
    Console(width=80).print(tables.alarms(view.alarms(False), "en"))  # type: ignore[arg-type]
    text = capsys.readouterr().out
    for whole in ("boiler_pressure.HH", "bare_head_at_press", "returned-unacknowledged", "unacknowledged", "FIRST OUT"):
        assert whole in text
    assert "…" not in text and max(map(len, text.splitlines())) <= 80


def test_acknowledge_and_silence(view: FakeView) -> None:
    assert anshao("ack", "gas.HH", "--operator", "li", "--note", "seen") == (0, "gas.HH: acknowledged\n")
    assert anshao("ack", "level.L", "--operator", "li")[1] == "level.L: there was nothing to acknowledge\n"
    assert anshao("ack", "all", "--operator", "li", "--note", "sent for a helmet")[1] == "bare_head: acknowledged\n"
    assert anshao("silence", "--operator", "li") == (0, "2 alarm(s) silenced\n")
    kind, _, who = view.done[0]
    assert (kind, who.name, who.via) == ("acknowledge", "li", "cli")


def test_an_urgent_alarm_is_not_acknowledged_without_a_reason(view: FakeView) -> None:
    assert anshao("ack", "gas.HH", "--operator", "li") == (1, "anshao: to acknowledge gas.HH needs a reason\n")


def test_shelf_and_service(view: FakeView) -> None:
    code, text = anshao("shelve", "level.L", "--for", "20min", "--reason", "sensor is cleaned", "--operator", "li")
    assert code == 0 and text.startswith("level.L: shelved for 20min")
    assert view.done[0][:3] == ("shelve", "level.L", 1200.0) and view.done[0][3].note == "sensor is cleaned"
    service = ("out-of-service", "bare_head", "--with", "wang", "--reason", "camera moves", "--operator", "li")
    code, text = anshao(*service)
    assert code == 0 and "OUT OF SERVICE" in text
    code, text = anshao("shelved")
    assert (
        code == 0
        and "out-of-service" in text
        and "(ACTIVE)" in text
        and "li with wang" in text
        and "sensor is cleaned" in text
    )
    assert [row["id"] for row in json.loads(anshao("shelved", "--json")[1])] == ["bare_head", "level.L"]
    assert anshao("unshelve", "level.L", "--operator", "li") == (0, "level.L: back from its shelf\n")
    assert anshao("in-service", "bare_head", "--operator", "li") == (0, "bare_head: in service again\n")
    assert anshao("unshelve", "level.L", "--operator", "li") == (0, "level.L: lay on no shelf\n")
    assert "every alarm is in service" in anshao("shelved")[1]


def test_in_80_columns_nothing_of_a_removed_alarm_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"priority": "P2", "id": "boiler.pressure.outlet.H", "name": {"en": "Far too high"}, "active": True}
    why = {
        "state": "suppressed-by-design",
        "by": "Li Wei",
        "second": "Wang Fang",
        "reason": "is rebuilt",
        "until": None,
    }
    Console(width=80).print(kpi_tables.removed([row | why], "en"))
    text = capsys.readouterr().out
    for whole in (row["id"], why["state"], "(ACTIVE)", "its reason ends", "is rebuilt"):
        assert str(whole) in text
    assert "…" not in text and max(map(len, text.splitlines())) <= 80


def test_what_is_not_permitted_is_said_and_exit_1(view: FakeView) -> None:
    code, text = anshao("shelve", "gas.HH", "--for", "1min", "--reason", "x", "--operator", "li")
    assert (code, text) == (1, "anshao: gas.HH cannot be shelved for so long\n")
    assert anshao("shelve", "level.L", "--reason", "x")[0] == 2
    assert anshao("out-of-service", "level.L", "--reason", "x")[0] == 2


def test_cameras(view: FakeView) -> None:
    code, text = anshao("cameras", "accept", "gate", "--reason", "new zones", "--operator", "li")
    assert code == 0 and text.startswith("gate: its view is learnt anew")
    assert view.done[0][:2] == ("accept", "gate") and view.done[0][2].note == "new zones"
    code, text = anshao("cameras", "coverage")
    assert code == 0 and "night" in text and "45 min (75%)" in text


def test_the_figures(view: FakeView) -> None:
    view.operations.floods = [{"zone": "press", "since": "", "raised": 14, "by_priority": {}}]
    code, text = anshao("kpi")
    assert code == 0
    words = (
        "crew B",
        "FLOOD: press (14 alarms so far)",
        "0.3, 12",
        "5% / 15% / 80% / 0%",
        "20 × gas.HH",
        "chattering",
        "1.0%",
    )
    for each in words:
        assert each in text
    assert json.loads(anshao("kpi", "--json")[1])["spans"]["24h"]["raised"] == 40


def test_alarms_tell_what_is_special(view: FakeView) -> None:
    view.rows[0]["first_out"] = view.rows[0]["degraded"] = True
    view.rows[0]["unknown"] = ["room.gas: connection reset"]
    view.rows[0]["escalation"] = {"step": 1, "of": 2, "post": "shift leader", "next_post": "", "next_at": None}
    text = " ".join(anshao("alarms")[1].split())
    for words in ("FIRST OUT", "connection", "escalated to shift"):
        assert words in text


def test_alarms_tell_how_far_a_hazard_is(view: FakeView) -> None:
    assert anshao("alarms", "--hazards")[1].strip() == "no alarms"
    view.rows[0]["hazard"] = hazard_of(Handling.AWAITING_ACCEPTANCE, "Wang\x1b[2J")
    text = anshao("alarms", "--hazards")[1]
    assert view.rows[0]["id"] in text and view.rows[1]["id"] not in text and "\x1b" not in text
    words = " ".join(text.split())
    for each in ("hazard YH-31:", "awaiting", "supervised", "RECURS"):
        assert each in words


def test_test_outputs(view: FakeView) -> None:
    code, text = anshao("test-outputs", "siren", "--seconds", "1500ms", "--operator", "li")
    assert code == 0 and "1.5 s" in text
    assert view.done[0][:3] == ("test", 1.5, ["siren"])
    assert anshao("test-outputs")[0] == 0 and view.done[-1][:3] == ("test", 3.0, None)
    code, text = anshao("test-outputs", "--seconds", "2")
    assert code == 2 and "not a duration" in text


def test_events(view: FakeView) -> None:
    lines = anshao("events", "--limit", "2")[1].splitlines()
    assert len(lines) == 2 and "alarm/3" in lines[1] and "raised unacknowledged 41.5" in lines[1]
    assert [json.loads(line)["seq"] for line in anshao("events", "--json")[1].splitlines()] == [1, 2, 3]


def test_a_mistake_is_one_line_and_exit_1(view: FakeView) -> None:
    assert anshao("ack", "gas.H", "--operator", "li") == (1, "anshao: there is no 'gas.H'; did you mean 'gas.HH'?\n")


def test_nobody_there_is_one_line_and_exit_3(tmp_path: Path) -> None:
    started_s = time.monotonic()
    command = [sys.executable, "-m", "agent", "status", "--socket", str(tmp_path / "none.sock")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and done.stdout == ""
    assert done.stderr.startswith(f"anshao: no agent answers at {tmp_path}/none.sock") and done.stderr.count("\n") == 1
    assert time.monotonic() - started_s < 3.0


def test_run_with_a_faulty_site_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("gateway: {id: x}\n")
    command = [sys.executable, "-m", "agent", "run", str(tmp_path / "site.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "site.yaml:1:1: 'site' is missing; add it" in done.stderr
    assert "Traceback" not in done.stderr


def test_evidence_is_listed_exported_sent_and_verified(view: FakeView, tmp_path: Path) -> None:
    code, text = anshao("evidence", "list")
    assert code == 0 and "e1.gate/annotated" in text and "pixelated" in text and "shown" in text
    out = tmp_path / "out.jpg"
    assert anshao("evidence", "export", "e1.gate/annotated", str(out))[0] == 0
    assert out.read_bytes() == view.evidence.jpeg
    assert anshao("evidence", "export", "e1.gate/original", str(out))[0] == 1
    assert anshao("evidence", "export", "e1.gate/original", str(out), "--original", "--operator", "li")[0] == 0
    assert anshao("evidence", "send", "e1.gate/annotated")[0] == 0 and view.evidence.sent == ["e1.gate/annotated"]
    assert anshao("evidence", "verify") == (0, "2 file(s), 0 not sound\n")
    view.evidence.fault = "missing: the file is gone"
    code, text = anshao("evidence", "verify")
    assert code == 1 and "e1.gate/annotated: missing" in text


def test_a_model_in_shadow_is_begun_told_of_and_ended(view: FakeView) -> None:
    code, text = anshao("models", "shadow", "--camera", "gate")
    assert code == 1 and "no second model looked through gate yet" in text
    code, text = anshao("models", "shadow", "bad", "--camera", "gate")
    assert code == 1 and "rejected, nothing was changed: it is bad" in text
    code, text = anshao("models", "shadow", "ppe/1.0.1", "--camera", "gate", "--for", "10min")
    assert code == 0 and "ppe/1.0.1 looks through gate for 600 s" in text
    assert "shadow     ppe/1.0.1, 600 s more, 93.3 % of 60 pictures alike" in anshao("models", "status")[1]
    code, text = anshao("models", "shadow", "--camera", "gate")
    assert code == 0 and "the model of site.yaml at work, ppe/1.0.1 beside it" in text and "31.5 ms, 24 ms" in text
    assert "1.250 at work,   1.500 beside it" in text and "persons 3; not persons 1" in text
    code, text = anshao("models", "shadow", "--camera", "gate", "--stop")
    assert code == 0 and "ended: somebody wanted it" in text and "/state/1-shadow.jpg" in text
    assert json.loads(anshao("models", "shadow", "--camera", "gate", "--json")[1])["pictures"] == 60


def test_models_are_listed_activated_and_taken_back(view: FakeView) -> None:
    code, text = anshao("models", "list")
    assert (
        code == 0 and "gate: the model of site.yaml, 31.5 ms on cpu int8 (cuda fp32: its driver is broken), on" in text
    )
    assert "probation for 600 s more" in text and "kept: ppe/1.0.1" in text
    view.models.offer = {"offer": "o1", "model": "ppe/1.0.2", "step": "waiting", "reason": "alarm bare is active"}
    code, text = anshao("models", "status", "--camera", "gate")
    assert "offer      ppe/1.0.2 waiting: alarm bare is active" in text
    assert "  offer ppe/1.0.2 waiting: alarm bare is active" in anshao("models", "list")[1]
    assert (
        code == 0
        and "ppe 1.0.0, sha256 ab12" in text
        and "31.5 ms a picture, int8, cpu" in text
        and "its driver is broken" in text
    )
    assert "probation  600 s more" in text and "ppe/1.0.1 rejected: it is bad" in text
    assert json.loads(anshao("models", "status", "--json")[1])[0]["sha256"] == "ab12"
    assert anshao("models", "status", "--camera", "gatee")[0] == 1
    code, text = anshao("models", "activate", "ppe/1.0.1", "--camera", "gate")
    assert code == 0 and "gate runs ppe/1.0.1 (activated)" in text
    code, text = anshao("models", "activate", "bad", "--camera", "gate")
    assert code == 1 and "rejected, nothing was changed: it is bad" in text
    assert anshao("models", "activate", "old", "--camera", "gate", "--older")[0] == 1
    assert anshao("models", "activate", "old", "--camera", "gate", "--older", "--note", "why")[0] == 0
    assert anshao("models", "activate", "ppe/1.0.1", "--camera", "gatee")[0] == 1
    code, text = anshao("models", "rollback", "--camera", "gate")
    assert code == 0 and "gate runs the model of site.yaml (rolled-back)" in text
