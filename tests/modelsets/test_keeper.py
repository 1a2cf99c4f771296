"""Models of a live camera: refused ones change nothing, bad ones go back by themselves, good ones stay."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.app.modelsets import ModelSets, ModelStore, tuning
from agent.app.modelsets import keeper as keeping
from agent.app.modelsets.probation import complaint
from agent.app.modelsets.store import Choice, key_of
from agent.core.clock import SystemClock
from agent.core.errors import NotAllowed, Refused
from agent.core.model import Alarm, EventDraft, Operator, Sample
from agent.core.signatures import new_key
from agent.pipeline import Pipeline
from agent.runner import Runner
from models.bundle import load_bundle
from models.camera import CameraDriver
from models.engines import SAFE, Engine, Tried
from models.options import BUNDLED
from models.rehearsal import Rehearsal, rehearse
from models.signers import Signers
from models.vitals import Vitals
from models.wire import Report
from tests.models.bundles import bundle
from tests.models.cameras import camera, gone

LI = Operator("Li Wei", "cli", "better weights")


@dataclass
class Plant:
    driver: CameraDriver
    store: ModelStore
    events: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    standing: dict[str, Any] = field(default_factory=dict)
    definitions: dict[str, Any] = field(default_factory=dict)

    def record(self, events: Sequence[EventDraft], alarms: Sequence[Alarm]) -> None:
        self.events += [dict(event.data) for event in events if event.kind == "model.change"]

    def actions(self) -> list[str]:
        return [event["action"] for event in self.events]

    def sets(self, probation_s: float = 600.0) -> ModelSets:
        pipeline = cast(Pipeline, SimpleNamespace(engine=self))
        return ModelSets({"gate": self.driver}, self.store, pipeline, self, SystemClock(), probation_s)

    async def until(self, enough: Callable[[], bool], limit_s: float = 40.0) -> None:
        until_s = time.monotonic() + limit_s
        while not enough():
            assert time.monotonic() < until_s, self.events
            await asyncio.sleep(0.05)


@asynccontextmanager
async def running(plant: Plant, sets: ModelSets) -> AsyncIterator[None]:
    runner = Runner("gate", plant.driver, SystemClock(), plant.samples.extend, lambda *_: None)
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(sets.run())]
    try:
        await plant.until(lambda: plant.driver.vitals.judged > 0)
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    monkeypatch.setattr(keeping, "PERIOD_S", 0.1)
    yield Plant(camera(), ModelStore(tmp_path / "models"))


async def test_a_model_is_taken_confirmed_and_found_again(plant: Plant, tmp_path: Path) -> None:
    new, sets = bundle(tmp_path / "new"), plant.sets(probation_s=0.5)
    await sets.prepare()
    async with running(plant, sets):
        await plant.until(
            lambda: any(sample.point == "gate.persons" and sample.value is not None for sample in plant.samples)
        )
        plant.samples.clear()  # a camera that has just begun tells nothing yet
        assert (await sets.activate("gate", str(new), LI))["action"] == "activated"
        assert sets.row()["cameras"][0]["probation_s"] is not None
        await plant.until(lambda: "confirmed" in plant.actions())
        row = sets.row()["cameras"][0]
    assert (row["name"], row["version"], row["provider"]) == ("ppe", "1.0.1", "cpu")
    assert row["precision"] in ("fp32", "int8"), "whichever was faster when it was rehearsed"
    assert row["since"] == plant.store.current().of("gate").since and row["last"]["action"] == "confirmed"
    facts = [sample.evidence for sample in plant.samples if sample.point == "gate.no_helmet"]
    assert facts[-1] == f"model:ppe/1.0.1@sha256:{row['sha256']}" and row["sha256"] == load_bundle(new).digest()
    assert facts[0] == f"model:ppe/1.1.0@sha256:{load_bundle(BUNDLED / 'ppe').digest()}"
    assert plant.actions() == ["staged", "activated", "confirmed"]
    assert all(len(event["sha256"]) == 64 for event in plant.events[1:])
    assert plant.samples and {sample.reason for sample in plant.samples if sample.value is None} == set()
    assert ModelStore(plant.store.folder).newest.of("ppe") == "1.0.1"
    again = Plant(camera(), plant.store)
    await again.sets().prepare()
    assert again.driver.bundle == plant.store.path("ppe/1.0.1")


async def test_one_whose_worker_dies_on_probation_goes_back_by_itself(plant: Plant, tmp_path: Path) -> None:
    new, sets = bundle(tmp_path / "new"), plant.sets()
    async with running(plant, sets):
        await sets.activate("gate", str(new), LI)
        assert plant.driver._live is not None
        os.kill(plant.driver._live.pid, signal.SIGKILL)
        await plant.until(lambda: "rolled-back" in plant.actions())
        await plant.until(lambda: plant.driver.vitals.judged > 0)
    assert plant.events[-1] | {"operator": None, "sha256": ""} == {
        "action": "rolled-back", "camera": "gate", "model": "", "previous": "ppe/1.0.1",
        "reason": "its worker died", "operator": None, "sha256": "",
    }  # fmt: skip
    assert plant.driver.bundle == BUNDLED / "ppe" and plant.store.current().of("gate") == Choice()


async def test_a_model_in_shadow_is_compared_and_drives_nothing(plant: Plant, tmp_path: Path) -> None:
    sure = bundle(
        tmp_path / "sure", golden=[{"picture": "golden/nobody.jpg"}], detector={"sure": 0.99, "doubtful": 0.98}
    )
    sets = plant.sets()
    async with running(plant, sets):
        with pytest.raises(NotAllowed, match="yet; name one"):
            await sets.comparison("gate")
        began = await sets.shadow("gate", str(sure), 600.0, LI)
        assert began["action"] == "shadowing", began
        shadow = sets.shadows._shadow
        assert shadow is not None and shadow._session is not None and plant.driver._live is not None
        pid, at_work = shadow._session.pid, plant.driver._live.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19 > os.getpriority(os.PRIO_PROCESS, at_work)
        again = await sets.shadow("gate", str(sure), 600.0, LI)
        assert again["action"] == "rejected" and "one at a time" in again["reason"]
        await plant.until(lambda: any(name.endswith("shadow.jpg") for name in shadow.pictures()))
        row = sets.row()["cameras"][0]
        assert row["shadow"]["model"] == "ppe/1.0.1" and row["model"] == "" and row["shadow"]["left_s"] > 0
        plant.samples.clear()
        done = await sets.stop_shadow("gate", LI)
        await plant.until(lambda: bool(plant.samples))
        assert await gone(pid) and plant.driver._live.pid == at_work
        with pytest.raises(NotAllowed):
            await sets.stop_shadow("gate", LI)
    facts = done["comparison"]["facts"]["persons"]
    assert facts["at_work"] > 0 == facts["shadow"] and done["comparison"]["agreement_percent"] < 100
    assert plant.actions() == ["staged", "rejected", "shadowed"] and plant.events[-1]["comparison"]["pictures"] > 0
    kept = await sets.comparison("gate")
    assert kept == done["comparison"] and all(Path(path).stat().st_size for path in kept["pictures_kept"])
    assert plant.store.current().of("gate") == Choice() and plant.driver.bundle == BUNDLED / "ppe"
    assert all("ppe/1.1.0@" in (sample.evidence or "ppe/1.0.0@") for sample in plant.samples)


async def test_a_usb_camera_cannot_be_shadowed(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="opened once only"):
        await camera("usb:0").open_shadow(bundle(tmp_path / "new"), lambda _: None)


async def test_a_broken_bundle_is_refused_before_anything_runs_it(plant: Plant, tmp_path: Path) -> None:
    new, sets = bundle(tmp_path / "new"), plant.sets()
    (new / "wearing.onnx").write_bytes(b"not a network")
    outcome = await sets.activate("gate", str(new), LI)
    assert outcome["action"] == "rejected" and "wearing.onnx" in outcome["reason"]
    wrong = bundle(tmp_path / "wrong", detector={"sure": 0.999})
    outcome = await sets.activate("gate", str(wrong), LI)
    assert outcome["action"] == "rejected" and "golden answers" in outcome["reason"]
    assert plant.store.keys() == [] and plant.driver.bundle == BUNDLED / "ppe"


async def test_none_is_taken_while_the_cameras_alarm_is_active(plant: Plant) -> None:
    plant.standing["bare"] = SimpleNamespace(active=True)
    plant.definitions["bare"] = SimpleNamespace(inputs=("gate.no_helmet",))
    outcome = await plant.sets().activate("gate", "ppe/1.0.1", LI)
    assert outcome["action"] == "rejected" and "alarm bare is active" in outcome["reason"]


async def test_one_that_fails_its_starts_goes_back(plant: Plant, tmp_path: Path) -> None:
    key = key_of(staged := plant.store.stage(bundle(tmp_path / "new")))
    plant.store.keep(staged)
    plant.store.decide("gate", Choice((key,)))
    sets = plant.sets()
    await sets.prepare()
    plant.driver.vitals.failed_starts = 3
    await sets._watch("gate")
    assert plant.actions() == ["rolled-back"] and plant.driver.bundle == BUNDLED / "ppe"
    assert plant.store.current().of("gate") == Choice()


async def test_one_that_is_trusted_no_longer_does_not_start_and_that_is_an_event(plant: Plant, tmp_path: Path) -> None:
    plant.store.keep(plant.store.stage(bundle(tmp_path / "new")))
    plant.store.decide("gate", Choice(("ppe/1.0.1",)))
    plant.store = ModelStore(plant.store.folder, Signers({"works": new_key()[1]}))
    sets = plant.sets()
    await sets.prepare()
    assert plant.driver.bundle == BUNDLED / "ppe" and sets.row()["cameras"][0]["model"] == ""
    assert plant.actions() == ["rolled-back"] and "is not signed" in plant.events[0]["reason"]
    refused = await sets.activate("gate", "ppe/1.0.1", LI)
    assert refused["action"] == "rejected" and "taken only from works" in refused["reason"]


def test_the_store_is_whole_wherever_the_power_goes(tmp_path: Path) -> None:
    store, new = ModelStore(tmp_path / "models"), bundle(tmp_path / "new")
    staged = store.stage(new)
    assert store.keys() == [] and store.current().of("gate") == Choice()  # cut after staging
    store.keep(store.stage(new))
    assert store.keys() == ["ppe/1.0.1"] and not staged.folder.exists()
    (store.folder / ".new-current").write_text('{"cameras": {"ga')  # cut while the pointer was written
    assert store.current().of("gate") == Choice()
    store.decide("gate", Choice(("ppe/1.0.1",)))
    shutil.copy(new / "wearing.onnx", store.path("ppe/1.0.1") / "detector.onnx")  # a disk that lies
    assert store.sound(store.current().of("gate")) == []
    store.keep(store.stage(new))
    assert store.sound(store.current().of("gate")) == ["ppe/1.0.1"]


def test_another_bundle_under_the_same_name_or_a_name_that_leads_out_is_refused(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")
    store.keep(store.stage(bundle(tmp_path / "new")))
    with pytest.raises(ValueError, match="new version"):
        store.keep(store.stage(bundle(tmp_path / "other", detector={"nms_iou": 0.6})))
    with pytest.raises(ValueError, match="no name"):
        store.stage(bundle(tmp_path / "out", name="../../etc"))


def vitals(took_ms: float = 30, came: int = 100, bare: int = 30, pictures: int = 3000) -> Vitals:
    """Return those of a camera that ``came`` people passed one by one, ``bare`` of them without a helmet."""
    found = Vitals(1)
    for at in range(pictures):
        persons = at * came // pictures != (at + 1) * came // pictures
        missing = at * bare // pictures != (at + 1) * bare // pictures
        whole = {"persons": float(persons), "no_helmet": float(missing)}
        found.note(Report("", 5, at * 0.2, whole, took_ms=took_ms))
    return found


def test_complaints() -> None:
    before = vitals()
    assert complaint(before, vitals(50, 90, 25)) == ""
    assert "takes 70 ms, not 30 ms" in complaint(before, vitals(70, 90))
    assert "0.1 times" in complaint(before, vitals(came=10, bare=3))
    assert "6.0 times" in complaint(before, vitals(came=600, bare=180))
    assert complaint(before, Vitals(2, 0, 5)) == complaint(before, Vitals(1, 1)) == "its worker died"
    assert "no sound answer" in complaint(before, Vitals(1, 0, 5, faults=1))


def test_a_model_that_tells_of_missing_equipment_otherwise_is_complained_of_once_enough_came() -> None:
    before = vitals()
    assert "no_helmet of 0% of the persons who came, the model before of 30%" in complaint(before, vitals(bare=0))
    assert "no_helmet of 90%" in complaint(before, vitals(bare=90))
    assert complaint(before, vitals(bare=50)) == ""
    assert complaint(before, vitals(came=12, bare=0, pictures=360)) == ""  # chance
    assert complaint(vitals(came=12, bare=4, pictures=360), vitals(bare=0)) == ""


def test_a_quiet_time_is_no_complaint_and_who_stands_there_counts_once() -> None:
    assert complaint(vitals(), vitals(came=0, bare=0, pictures=300)) == ""  # a minute in which three should have come
    assert "0.0 times" in complaint(vitals(), vitals(came=0, bare=0))
    stands = Vitals(1)
    for at in range(600):
        stands.note(Report("", 5, at * 0.2, {"persons": 1.0, "no_helmet": 1.0}))
    assert stands.lately.came == {"persons": 1, "no_helmet": 1} and stands.lately.pictures == 600
    stands.note(Report("too dark", 5, 120.0, {"persons": 9.0, "no_helmet": 9.0}))
    assert stands.lately.came["persons"] == 1
    stands.note(Report("", 5, 9000.0, {"persons": 0.0, "no_helmet": 0.0}))
    assert stands.judged == 602


async def test_a_rehearsal_that_hangs_is_ended(tmp_path: Path) -> None:
    assert "not ready within" in (await rehearse(BUNDLED / "ppe", limit_s=0.05)).fault


async def test_a_camera_goes_over_to_what_was_found_faster_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    int8 = Engine(precision="int8")

    async def tried_so(folder: Path) -> Rehearsal:
        return Rehearsal(tried=(Tried(SAFE, 40.0), Tried(int8, 20.0, 0.99)))

    monkeypatch.setattr(tuning, "AFTER_S", 0.0)
    monkeypatch.setattr(tuning, "rehearse", tried_so)  # whatever this machine finds: the way over is what counts
    plant = Plant(camera(), ModelStore(tmp_path / "models"))
    plant.standing["slow"] = SimpleNamespace(active=True)
    plant.definitions["slow"] = SimpleNamespace(inputs=("gate.slow",))  # a reason to go over, not one to wait
    sets = plant.sets()
    async with running(plant, sets):
        task = asyncio.create_task(sets.tuning.run())
        await plant.until(lambda: "engine" in plant.actions(), limit_s=30.0)
        assert plant.driver.chosen.engine == int8
        row = sets.row()["cameras"][0]
        assert (row["precision"], row["engine"], row["engine_reason"]) == ("int8", "cpu int8", "")
        task.cancel()
    (event,) = plant.events
    assert (event["action"], event["camera"], event["engine"], event["reason"]) == ("engine", "gate", "cpu int8", "")
    assert plant.driver.best().engine == int8  # also after a restart


async def test_rehearsing_the_shipped_bundle_tries_both_precisions() -> None:
    done = await rehearse(BUNDLED / "ppe")
    assert done.fault == ""
    by_precision = {each.engine.precision: each for each in done.tried}
    assert by_precision["fp32"].alike == 1.0 and by_precision["int8"].fault == ""
    assert by_precision["int8"].alike >= 0.95 and by_precision["int8"].look_ms > 0
