"""An offer's way: accepted once, told at each step, gone on with after a restart, never past an active alarm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.app.modelsets import offers as offering
from agent.app.modelsets.offers import Offers
from agent.core.clock import SystemClock
from agent.core.errors import NotAllowed, NotConnected, Refused
from agent.core.model import Operator
from agent.offers import Offer
from tests.fakes import FakeRecorder, until

OFFER = Offer("o1", "gate", "ppe", "9.0.1", "5" * 64, "Li Wei", "mqtt", "for the night", "https://models.example/ppe")


class Plant:
    """Models and arrivals as a test wants them; writes down what was asked of them."""

    def __init__(self) -> None:
        self.model, self.probation, self.alarm, self.refusal = "", False, "", ""
        self.lost: str = ""
        self.missing: str = ""
        self.hangs = False
        self.asked: list[tuple[Any, ...]] = []

    def knows(self, camera: str) -> bool:
        return camera in ("gate", "yard")

    def running(self, camera: str) -> str:
        return self.model

    def on_probation(self, camera: str) -> bool:
        return self.probation

    def busy(self, camera: str, mode: str) -> str:
        return self.alarm

    def last(self, camera: str) -> Mapping[str, Any]:
        return {"reason": "its worker died"}

    async def activate(
        self, camera: str, model: str, operator: Operator, force: bool = False, sha256: str = ""
    ) -> dict[str, Any]:
        assert not force, "nobody forces from afar"
        self.asked.append(("activate", camera, model, operator.name, sha256))
        if self.refusal:
            return {"action": "rejected", "reason": self.refusal}
        self.model, self.probation = OFFER.key, True
        return {"action": "activated", "reason": ""}

    async def shadow(
        self, camera: str, model: str, for_s: float, operator: Operator, sha256: str = ""
    ) -> dict[str, Any]:
        self.asked.append(("shadow", camera, model, for_s, sha256))
        return {"action": "shadowing", "reason": ""}

    async def find(self, offer: Offer, fetching: Callable[[], None]) -> str:
        if self.missing:
            raise Refused(self.missing)
        fetching()
        if self.hangs:
            await asyncio.Event().wait()
        if self.lost:
            raise NotConnected(self.lost)
        return "/fetched/5555"

    async def forget(self, kept: Collection[Offer]) -> None:
        self.asked.append(("forget", *(each.id for each in kept)))


class Rig:
    def __init__(self, folder: Path, give_up_s: float = 60.0) -> None:
        self.plant, self.recorder, self.folder, self.give_up_s = Plant(), FakeRecorder(), folder, give_up_s
        self.offers = self.begin()

    def begin(self) -> Offers:
        made = Offers(self.plant, self.plant, _permit, self.folder, self.give_up_s, self.recorder, SystemClock())
        self.offers = made
        return made

    @property
    def steps(self) -> list[str]:
        return [str(event.data["step"]) for event in self.recorder.events]

    @property
    def reason(self) -> str:
        return str(self.recorder.events[-1].data["reason"])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Offers]:
        await self.offers.load()
        task = asyncio.create_task(self.offers.run())
        try:
            yield self.offers
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def reach(self, step: str) -> None:
        await until(lambda: self.steps[-1:] == [step], limit_s=5.0)


def _permit(url: str) -> None:
    if "evil" in url:
        raise NotAllowed("evil is not a host that bundles are fetched from")


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(offering, "PERIOD_S", 0.01)
    monkeypatch.setattr(offering, "FIRST_WAIT_S", 0.01)
    return Rig(tmp_path)


async def test_an_offer_is_taken_watched_and_confirmed(rig: Rig) -> None:
    async with rig.running() as offers:
        assert offers.accept(OFFER) == {"offer": "o1", "step": "accepted"}
        await rig.reach("active")
        assert offers.row("gate") == {"offer": "o1", "model": "ppe/9.0.1", "step": "active", "reason": ""}
        rig.plant.probation = False
        await rig.reach("confirmed")
        await offers.save()
    assert rig.steps == ["accepted", "fetching", "trying", "active", "confirmed"]
    assert ("activate", "gate", "/fetched/5555", "Li Wei", OFFER.sha256) in rig.plant.asked
    assert offers.row("gate") is None and list(rig.folder.iterdir()) == []
    data = rig.recorder.events[-1].data
    assert data["operator"] == {"name": "Li Wei", "via": "mqtt", "note": "for the night"} and data["offer"] == "o1"


async def test_one_that_goes_back_is_told_with_its_reason(rig: Rig) -> None:
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("active")
        rig.plant.model, rig.plant.probation = "", False
        await rig.reach("rolled-back")
    assert rig.reason == "its worker died"


async def test_an_active_alarm_is_waited_for_and_told_once(rig: Rig) -> None:
    rig.plant.alarm = "alarm bare is active and looks at this camera"
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("waiting")
        await asyncio.sleep(0.05)
        assert not [each for each in rig.plant.asked if each[0] == "activate"]
        rig.plant.alarm = ""
        await rig.reach("active")
    assert rig.steps == ["accepted", "fetching", "waiting", "trying", "active"]


async def test_what_cannot_be_had_is_refused_at_once_or_given_up_in_the_end(rig: Rig) -> None:
    rig.plant.missing = "the gateway has no bundle with this sha256"
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("refused")
        assert rig.reason == rig.plant.missing
    rig.plant.missing, rig.plant.lost, rig.offers._give_up_s = "", "models.example: no answer", 0.3
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("refused")
    assert rig.reason == "it was not taken within 0.3 s: models.example: no answer"
    rig.plant.hangs = True  # a server that never ends
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("refused")
    assert rig.reason == "it was not taken within 0.3 s"
    assert "waiting" in rig.steps and not [each for each in rig.plant.asked if each[0] == "activate"]


async def test_what_is_not_fit_is_refused_as_it_is_on_site(rig: Rig) -> None:
    rig.plant.refusal = "it does not give its golden answers"
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("refused")
    assert rig.reason == rig.plant.refusal and rig.plant.model == ""


async def test_the_same_offer_again_is_one_and_another_one_is_refused(rig: Rig) -> None:
    rig.plant.hangs = True
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("fetching")
        assert offers.accept(replace(OFFER, id="o2", operator="Wang")) == {"offer": "o1", "step": "fetching"}
        with pytest.raises(NotAllowed, match=r"ppe/9.0.1 is in hand for gate \(fetching, offer o1\)"):
            offers.accept(replace(OFFER, id="o3", version="1.0.2"))
        assert offers.accept(replace(OFFER, id="o4", camera="yard")) == {"offer": "o4", "step": "accepted"}
        with pytest.raises(KeyError):
            offers.accept(replace(OFFER, camera="moon"))
    with pytest.raises(NotAllowed, match="evil"):
        Rig(rig.folder / "new").offers.accept(replace(OFFER, url="https://evil.org/ppe"))


async def test_one_that_runs_already_is_not_taken_again(rig: Rig) -> None:
    async def kept(offer: Offer, _: Callable[[], None]) -> str:
        return offer.key

    rig.plant.model, rig.plant.find = OFFER.key, kept  # type: ignore[method-assign, assignment]
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("confirmed")
    assert rig.reason == "it ran already" and not [each for each in rig.plant.asked if each[0] == "activate"]


async def test_a_shadow_is_begun_and_told(rig: Rig) -> None:
    async with rig.running() as offers:
        offers.accept(replace(OFFER, mode="shadow", seconds=90.0))
        await rig.reach("shadowing")
    assert ("shadow", "gate", "/fetched/5555", 90.0, OFFER.sha256) in rig.plant.asked and rig.plant.model == ""


async def test_one_is_withdrawn_until_it_is_tried(rig: Rig) -> None:
    rig.plant.hangs = True
    async with rig.running() as offers:
        with pytest.raises(NotAllowed, match="no offer for gate waits"):
            offers.withdraw("gate")
        offers.accept(OFFER)
        await rig.reach("fetching")
        assert offers.withdraw("gate") == {"withdrawn": "o1"}
        await offers.save()
        assert rig.steps[-1] == "withdrawn" and list(rig.folder.glob("*.json")) == []
        rig.plant.hangs = False
        offers.accept(replace(OFFER, id="o2"))
        await rig.reach("active")
        with pytest.raises(NotAllowed, match=r"is past that \(active\)"):
            offers.withdraw("gate")


async def test_a_restart_in_the_middle_goes_on_and_says_so(rig: Rig) -> None:
    rig.plant.hangs = True
    async with rig.running() as offers:
        offers.accept(OFFER)
        await offers.save()  # before it is answered
        await rig.reach("fetching")
    rig.plant.hangs = False
    rig.begin()
    async with rig.running():
        await rig.reach("active")
    assert rig.steps == ["accepted", "fetching", "resumed", "fetching", "trying", "active"]
    assert ("forget", "o1") in rig.plant.asked, "what was fetched already is kept"


async def test_a_restart_during_probation_is_told_as_it_is(rig: Rig) -> None:
    async with rig.running() as offers:
        offers.accept(OFFER)
        await rig.reach("active")
        await offers.save()
    rig.plant.model = ""  # the agent starts with the model that was confirmed last
    rig.begin()
    async with rig.running() as offers:
        await rig.reach("interrupted")
        assert offers.row("gate") is None
    assert "offer it again" in rig.reason
    rig.begin()
    async with rig.running():
        await asyncio.sleep(0.02)
    assert rig.steps.count("interrupted") == 1, "told once"


async def test_a_disk_that_fails_or_lies_stops_nothing(rig: Rig) -> None:
    (rig.folder / "gate.json").write_text('{"offer": 7')
    (rig.folder / "yard.json").mkdir()
    async with rig.running() as offers:
        assert offers.row("gate") is None
        offers.accept(replace(OFFER, camera="yard"))
        await rig.reach("active")
