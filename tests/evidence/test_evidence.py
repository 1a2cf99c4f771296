"""Evidence follows its alarm, is told when there is none, goes when its time is over, and is never sent altered."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import NotAllowed
from agent.core.model import Operator
from agent.evidence.events import CHUNK_BYTES
from agent.evidence.item import Item, Order
from agent.evidence.options import EvidenceOptions
from agent.evidence.quota import MB, doomed
from agent.journal.envelope import chain, encode
from tests.evidence.rig import KINDS, FakeCamera, Rig
from tests.fakes import until

LI = Operator("li", "cli")


def _without_file(body: bytes) -> bytes:
    """Return the bytes that were chained: the file joins the message when it is sent."""
    message = json.loads(body)
    parts = [message.pop(key, None) for key in ("data_base64", "datafault")]
    return body if parts == [None, None] else encode(message)


def files(rig: Rig) -> list[Path]:
    return sorted(path for path in rig.folder.glob("*/*") if path.name != "order.json")


async def sent(rig: Rig) -> list[dict[str, Any]]:
    """Return the evidence lane as the broker gets it."""
    rows = [row for row in await rig.journal.pending(1000) if row.lane == "evidence"]
    return [json.loads(await rig.evidence.attach(row.body)) for row in rows]


async def test_the_alarm_goes_first_then_what_there_is_of_it_then_the_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
        everything = await rig.journal.events(100)
        assert [event["type"].split(".", 1)[1] for event in everything] == [
            "alarm.transition.v1", "evidence.v1", "evidence.file.v1", "evidence.v1", "evidence.file.v1",
            "evidence.v1", "evidence.v1", "evidence.v1",
        ]  # fmt: skip
        snapshot, picture = everything[1:3]
        assert snapshot["data"]["alarm_id"] == "bare" and snapshot["data"]["occurrence_id"] == "bare-o"
        assert (snapshot["data"]["kind"], snapshot["data"]["camera"]) == ("snapshot", "gate")
        messages = await sent(rig)
        content = base64.b64decode(messages[1]["data_base64"])
        assert hashlib.sha256(content).hexdigest() == snapshot["data"]["sha256"] == picture["sha256"]
        assert messages[1]["datacontenttype"] == "image/jpeg" and "data" not in messages[1]
        assert [row["kind"] for row in rig.evidence.rows("bare", None)] == list(KINDS)
        assert rig.evidence.rows("gas", None) == [] and rig.evidence.rows(None, "bare-o") != []
        assert {each["fault"] for each in await rig.evidence.verify()} == {""}


async def test_the_chain_holds_over_messages_that_carry_files(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
        previous = ""
        rows = sorted(await rig.journal.pending(100), key=lambda row: row.seq)
        for body in [await rig.evidence.attach(row.body) for row in rows]:
            message = json.loads(body)
            assert message["prevhash"] == previous
            previous = chain(previous, _without_file(body))
        assert await rig.journal.verify() == []


async def test_only_what_a_camera_saw_has_evidence_and_what_a_rule_names(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        for alarm in ("gas", "blind", "asked"):
            rig.raise_alarm(alarm)
        await rig.closed()
        assert {event["subject"] for event in await rig.events("evidence")} == {"asked"}


async def test_a_clip_goes_in_parts_and_only_when_it_is_asked_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path, FakeCamera(octets=2 * CHUNK_BYTES + 7))
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
        clip = next(row for row in rig.evidence.rows(None, None) if row["kind"] == "clip")
        assert not any(message.get("evidenceid") == clip["id"] for message in await sent(rig))
        assert rig.evidence.send(clip["id"]) == 3
        await rig.journal.settled()
        parts = [message for message in await sent(rig) if message.get("evidenceid") == clip["id"]]
        assert [(part["index"], part["count"]) for part in parts] == [(0, 3), (1, 3), (2, 3)]
        whole = b"".join(base64.b64decode(part["data_base64"]) for part in parts)
        assert hashlib.sha256(whole).hexdigest() == clip["sha256"] == parts[0]["sha256"]
        assert len(whole) == parts[0]["wholebytes"]


async def test_what_the_centre_asks_for_is_kept_and_sent_one_at_a_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        id_ = rig.evidence.request("gate", "clip")
        with pytest.raises(NotAllowed, match="has not delivered what was asked for before"):
            rig.evidence.request("gate", "snapshot")
        with pytest.raises(KeyError):
            rig.evidence.request("moon", "snapshot")
        await until(lambda: any(row["kind"] == "clip" for row in rig.evidence.rows("requested", None)))
        await rig.closed()
        await rig.until("evidence.file", 3)  # snapshot and annotated picture, which the site sends, and the clip
        assert id_ in {message.get("evidenceid") for message in await sent(rig)}
        assert rig.evidence.request("gate", "snapshot").endswith(".gate/snapshot")


async def test_a_file_that_is_altered_or_missing_is_told_and_never_sent_as_sound(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
        folder = next(rig.folder.iterdir())
        (folder / "snapshot.jpg").write_bytes(b"another")
        (folder / "annotated.jpg").unlink()
        faults = {message["evidenceid"]: message for message in await sent(rig) if "evidenceid" in message}
        assert [message["datafault"][:7] for message in faults.values()] == ["altered", "missing"]
        assert not any("data_base64" in message for message in faults.values())
        await sent(rig)
        losses = await rig.until("loss", 2)
        assert [(loss["data"]["scope"], loss["data"]["kinds"]) for loss in losses] == [
            ("evidence", ["snapshot"]), ("evidence", ["annotated"])
        ]  # fmt: skip
        with pytest.raises(NotAllowed, match="altered"):
            await rig.evidence.content(f"{folder.name}/snapshot", None)
        assert [bool(each["fault"]) for each in await rig.evidence.verify()] == [True, True, False, False, False]
        assert len(await rig.events("loss")) == 2, "each is told once"


async def test_a_record_that_is_forged_with_its_file_differs_from_the_event(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
    record = next(rig.folder.glob("*/order.json"))
    forged, was = b"forged", hashlib.sha256((record.parent / "clip.mp4").read_bytes()).hexdigest()
    (record.parent / "clip.mp4").write_bytes(forged)
    record.write_text(record.read_text().replace(was, hashlib.sha256(forged).hexdigest()))
    again = Rig(tmp_path)
    async with again.running():
        await until(lambda: again.evidence.rows(None, None) != [])
        found = {each["id"].partition("/")[2]: each["fault"] for each in await again.evidence.verify()}
        assert found["clip"] == "altered: its record is not the one in the journal" and found["snapshot"] == ""


async def test_a_worker_that_dies_costs_what_it_had_not_kept_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, FakeCamera(fails=1))
    async with rig.running():
        rig.raise_alarm()
        (loss,) = await rig.until("loss", 1)
        assert loss["data"]["kinds"] == ["annotated", "clip"] and "signal 9" in loss["data"]["reason"]
        assert loss["data"]["alarm_id"] == "bare" and loss["lane"] == "alarm"
        rig.raise_alarm()
        await rig.until("loss", 2)


async def test_a_folder_that_cannot_be_written_and_a_full_disk_cost_the_evidence_only(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.folder.write_text("a file where the folder should be")
    async with rig.running():
        rig.raise_alarm()
        (loss,) = await rig.until("loss", 1)
        assert loss["data"]["count"] == 3 and loss["data"]["scope"] == "evidence"
    (tmp_path / "full").mkdir()
    full = Rig(tmp_path / "full", camera_mb=1, total_mb=1)
    full.evidence._shelf.options = EvidenceOptions(free_mb=10**9)
    async with full.running():
        full.raise_alarm()
        (loss,) = await full.until("loss", 1)
        assert loss["data"]["reason"] == "the disk has less than 1000000000 MB left"


async def test_what_a_killed_gateway_had_kept_is_told_by_the_next_and_so_is_what_it_had_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    order = Order("e1.gate", "bare", "o", "gate", 2, "", 5.0, datetime.now(UTC).isoformat(), "boot")
    rig.evidence._shelf.store.save(order)
    (rig.folder / "e1.gate/snapshot.jpg").write_bytes(b"whole")
    (rig.folder / "e1.gate/original.jpg").write_bytes(b"faces")
    (rig.folder / "e1.gate/part.annotated.jpg").write_bytes(b"ha")
    async with rig.running():
        (loss,) = await rig.until("loss", 1)
        assert loss["data"]["kinds"] == ["annotated", "clip"] and "stopped" in loss["data"]["reason"]
        told = {event["data"]["kind"]: event["data"] for event in await rig.events("evidence")}
        assert told["snapshot"]["sha256"] == hashlib.sha256(b"whole").hexdigest()
        assert told["snapshot"]["blurred"] is True and told["original"]["blurred"] is False
        await rig.closed()
        assert [path.name for path in files(rig)] == ["original.jpg", "snapshot.jpg"]
    again = Rig(tmp_path)
    async with again.running():
        await until(lambda: len(again.evidence.rows(None, None)) == 2)
        assert len(await again.events("loss")) == 1, "what was told once is not told again"


async def test_an_alarm_right_before_the_end_of_the_process_is_told_once_to_have_no_evidence(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with rig.journal:  # evidence does not run: as if it were killed before it could ask
        for alarm in ("bare", "gas"):
            rig.raise_alarm(alarm)
        await rig.journal.settled()
    for starts in (1, 2):
        again = Rig(tmp_path)
        async with again.running():
            again.raise_alarm("asked")
            await again.closed(starts)
            (loss,) = await again.until("loss", 1)
            assert loss["data"]["alarm_id"] == "bare" and loss["data"]["kinds"] == ["snapshot", "annotated", "clip"]


async def test_originals_are_for_who_may_see_them_never_sent_and_go_first(tmp_path: Path) -> None:
    rig = Rig(tmp_path, originals=0.0, originals_for=("li",))
    async with rig.running():
        rig.raise_alarm()
        await rig.closed()
        id_ = next(row["id"] for row in rig.evidence.rows(None, None) if row["kind"] == "original")
        for operator in (None, Operator("wang", "cli")):
            with pytest.raises(NotAllowed, match="shows faces"):
                await rig.evidence.content(id_, operator)
        assert (await rig.evidence.content(id_, LI))[0] == "image/jpeg"
        (act,) = await rig.events("operator.action")
        assert act["data"]["action"] == "original-seen" and act["data"]["operator"]["name"] == "li"
        with pytest.raises(NotAllowed, match="never leaves"):
            rig.evidence.send(id_)
        with pytest.raises(KeyError):
            rig.evidence.send("e9/clip")
        await rig.evidence._shelf.tidy()
        (gone,) = await rig.events("evidence.expired")
        assert gone["data"]["count"] == 2 and gone["lane"] == "evidence"
        assert [path.name for path in files(rig)] == ["annotated.jpg", "clip.mp4", "snapshot.jpg"]
        assert await rig.events("loss") == []


async def test_too_much_evidence_goes_by_priority_and_is_a_loss(tmp_path: Path) -> None:
    rig = Rig(tmp_path, FakeCamera(octets=150_000), total_mb=1, camera_mb=1)
    async with rig.running():
        rig.raise_alarm("asked", priority=1)
        rig.raise_alarm("bare", priority=3)
        await rig.closed(2)
        await rig.evidence._shelf.tidy()
        (loss,) = await rig.events("loss")
        assert loss["data"]["count"] == 4 == len(loss["data"]["ids"])
        assert loss["data"]["reason"] == "evidence of gate takes more than 1 MB"
        assert [row["alarm_id"] for row in rig.evidence.rows(None, None)] == ["asked"] * 5 + ["bare"]
        assert len(files(rig)) == 6
        faults = [message["datafault"] for message in await sent(rig) if "datafault" in message]
        assert faults == ["missing: it was removed"] * len(faults) != []


def _order(index: int, camera: str, priority: int, age_d: float, octets: int) -> Order:
    taken = NOW - timedelta(days=age_d)
    until = (taken + timedelta(days=90)).isoformat()
    item = Item(str(index), "clip", "clip.mp4", "video/mp4", octets, "", 0.0, taken.isoformat(), until)
    return Order(str(index), "a", "o", camera, priority, "", 0.0, "", "", False, (item,))


NOW = datetime(2026, 6, 1, tzinfo=UTC)
orders = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]), st.integers(1, 4), st.floats(0, 120), st.integers(1, 3 * MB)
    ),
    max_size=12,
)  # fmt: skip


@given(orders, st.integers(0, 4))
def test_quotas_hold_and_the_urgent_and_new_stay_longest(
    made: list[tuple[str, int, float, int]], missing_mb: int
) -> None:
    everything = [_order(index, *each) for index, each in enumerate(made)]
    options = EvidenceOptions(total_mb=6, camera_mb=4)
    gone = doomed(everything, options, NOW, missing_mb)
    names = {each.order.id for each in gone}
    assert len(names) == len(gone), "nothing goes twice"
    left = [order for order in everything if order.id not in names]
    assert sum(order.items[0].octets for order in left) <= 6 * MB
    for camera in ("a", "b"):
        assert sum(order.items[0].octets for order in left if order.camera == camera) <= 4 * MB
    assert all(order.items[0].expires > NOW for order in left)
    for each in gone:
        if each.is_loss and each.reason.startswith("evidence of"):
            rivals = [order for order in left if order.camera == each.order.camera]
            key = (-each.order.priority, each.item.taken_at)
            assert all(key <= (-order.priority, order.items[0].taken_at) for order in rivals)


def test_while_the_clock_was_never_set_nothing_is_over_its_time() -> None:
    old = [_order(1, "a", 1, 400.0, 10)]
    assert doomed(old, EvidenceOptions(), datetime(1970, 1, 1, tzinfo=UTC)) == []
    assert len(doomed(old, EvidenceOptions(), NOW)) == 1
