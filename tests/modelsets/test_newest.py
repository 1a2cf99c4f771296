"""An older bundle is refused on its way in, however well it is signed, unless somebody wants it and says why."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.app.modelsets import ModelSets, ModelStore, admission
from agent.app.modelsets.newest import Newest, is_older
from agent.core.clock import SystemClock
from agent.core.model import EventDraft, Operator
from agent.core.signatures import new_key, sign
from agent.pipeline import Pipeline
from models.rehearsal import Rehearsal
from models.signers import Signers, add_signature
from tests.models.bundles import bundle
from tests.models.cameras import camera

NUMBERS = st.tuples(*[st.integers(0, 30)] * 3)


def text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


async def test_an_older_one_is_refused_whoever_signed_it_and_taken_when_somebody_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def passed(_: Path) -> Rehearsal:
        return Rehearsal()

    monkeypatch.setattr(admission, "rehearse", passed)
    events: list[dict[str, Any]] = []

    def record(drafts: list[EventDraft], _: object) -> None:
        events.extend(dict(each.data) for each in drafts)

    pem, public = new_key()
    store = ModelStore(tmp_path / "models", Signers({"works": public}))
    pipeline = cast(Pipeline, SimpleNamespace(engine=SimpleNamespace(standing={}, definitions={})))
    recorder: Any = SimpleNamespace(record=record)
    sets = ModelSets({"gate": camera()}, store, pipeline, recorder, SystemClock())
    await sets.prepare()  # the shipped ppe 1.0.0 works
    old = bundle(tmp_path / "old", version="0.9.9")
    add_signature(old, sign((old / "manifest.yaml").read_bytes(), pem)[0])
    centre, li = Operator("centre", "mqtt"), Operator("Li Wei", "cli", "misses orange helmets")

    for ask in (sets.activate("gate", str(old), centre), sets.shadow("gate", str(old), 60.0, li)):
        refused = await ask
        assert refused["action"] == "rejected" and "ppe 0.9.9 is older than 1.0.0" in refused["reason"]
    unsaid = await sets.activate("gate", str(old), centre, older=True)
    assert unsaid["action"] == "rejected" and "with a note of why" in unsaid["reason"]
    assert store.keys() == [] and list((store.folder / "versions").iterdir()) == []
    assert [event["action"] for event in events] == ["rejected"] * 3, "each refusal is journalled"

    await sets.activate("gate", str(old), li, older=True)  # this camera is not connected, so it is only kept
    assert events[-2]["action"] == "staged" and events[-2]["older_than"] == "1.0.0"
    assert events[-2]["operator"]["note"] == "misses orange helmets" and store.keys() == ["ppe/0.9.9"]
    by_name = await sets.activate("gate", "ppe/0.9.9", Operator("Li Wei", "cli"))
    assert "not connected" in by_name["reason"], "what is kept may always be gone back to"


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_what_is_remembered_is_the_newest_also_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, worked: list[tuple[int, ...]]
) -> None:
    path = tmp_path_factory.mktemp("newest") / "newest"
    newest = Newest(path)
    for each in worked:
        newest.note("ppe", text(each))
    assert newest.of("ppe") == Newest(path).of("ppe") == text(max(worked)) and newest.of("other") == ""


@given(NUMBERS, NUMBERS)
def test_versions_are_numbers(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert is_older(text(one), text(other)) is (one < other)
    assert not is_older(text(one), "")


def test_a_damaged_memory_or_a_failing_disk_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "newest"
    path.write_bytes(b'{"ppe": ')
    newest = Newest(path)
    assert newest.of("ppe") == ""
    newest.note("ppe", "1.0.0")
    assert Newest(path).of("ppe") == "1.0.0"
    path.unlink()
    path.mkdir()
    again = Newest(path)
    again.note("ppe", "2.0.0")
    assert again.of("ppe") == "2.0.0"
