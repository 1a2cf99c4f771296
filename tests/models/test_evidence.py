"""What a camera's worker keeps of an alarm: real footage, the real worker, files that are decoded again."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.errors import NotConnected
from agent.core.ports import EvidenceFile
from models.camera import CameraDriver
from models.clip import count, write_clip
from models.detection import Box, Detection
from models.privacy import BLOCKS, LEAST_BLOCK_PX, Picture, faces, head_zone, pixelate
from models.ring import MOST_BYTES, Ring, blurred
from models.session import CameraSession
from models.vocabulary import Thing
from tests.models.cameras import camera, connected, read_until

NOISE = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
PERSON = Box(100, 100, 160, 280)


@asynccontextmanager
async def seeing(driver: CameraDriver) -> AsyncIterator[CameraSession]:
    """Give a session that has seen bare heads, and is read on as the runner does."""
    async with connected(driver) as session:
        await read_until(session, lambda facts: (facts["gate.yard.no_helmet"].value or 0) != 0)
        reading = asyncio.create_task(_read(session))
        yield session
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(session: CameraSession) -> None:
    while True:
        await session.read()


async def kept(driver: CameraDriver, folder: Path, order: str = "o1") -> dict[str, EvidenceFile]:
    return {file.kind: file async for file in driver.keep(order, str(folder), time.monotonic())}


def load(path: Path) -> Picture:
    return np.asarray(cv2.imread(str(path)), np.uint8)


async def test_an_alarm_leaves_pictures_and_a_clip_without_faces(tmp_path: Path) -> None:
    driver = camera(clip_before=1.0, clip_after=1.0)
    async with seeing(driver):
        files = await kept(driver, tmp_path)
    assert files.keys() == {"snapshot", "annotated", "original", "original-clip", "clip"}
    for kind, file in files.items():
        content = (tmp_path / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest(), file.reason) == (file.octets, file.sha256, "")
        assert file.blurred is not kind.startswith("original") and file.model.startswith("model:ppe/1.1.0@sha256:")
    snapshot, original = load(tmp_path / "snapshot.jpg"), load(tmp_path / "original.jpg")
    assert snapshot.shape == original.shape and snapshot.shape[1] == 640
    assert files["snapshot"].octets <= 200_000
    changed = np.abs(snapshot.astype(int) - original).max(axis=2) > 40
    assert 0.002 < changed.mean() < 0.3, "heads and nothing but heads are pixelated"
    assert count(tmp_path / "clip.mp4") == count(tmp_path / "original-clip.mp4") >= 5
    assert files["clip"].seconds == pytest.approx(2, abs=1.0)
    assert list(tmp_path.glob("part.*")) == []


async def test_without_privacy_there_is_nothing_to_hide_and_no_second_copy(tmp_path: Path) -> None:
    driver = camera(clip_before=0.5, clip_after=0.2, privacy="off")
    async with seeing(driver):
        files = await kept(driver, tmp_path)
    assert files.keys() == {"snapshot", "annotated", "clip"} and not any(file.blurred for file in files.values())


async def test_a_full_disk_costs_the_evidence_and_the_camera_goes_on(tmp_path: Path) -> None:
    driver = camera(clip_before=0.5, clip_after=0.2)
    async with seeing(driver) as session:
        resource.prlimit(session.pid, resource.RLIMIT_FSIZE, (1000, 1000))
        files = await kept(driver, tmp_path)
        assert all(file.reason and not file.name for file in files.values()) and "clip" in files
        assert [path for path in tmp_path.iterdir() if not path.name.startswith("part.")] == []
        assert (await asyncio.wait_for(session.fetch(["gate.camera_ok"]), 3))[0].value is True


async def test_a_worker_that_dies_is_told(tmp_path: Path) -> None:
    driver = camera(timeout=1.0)
    with pytest.raises(NotConnected, match="does not run"):
        await kept(driver, tmp_path)
    session = await driver.connect()
    assert isinstance(session, CameraSession)
    waiting = asyncio.create_task(kept(driver, tmp_path))
    await asyncio.sleep(0.1)
    os.kill(session.pid, signal.SIGKILL)
    with pytest.raises(NotConnected):
        while True:
            await session.read()
    await session.close()
    with pytest.raises(NotConnected, match="ended before the evidence was kept"):
        await waiting


def test_a_clip_of_nothing_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="could not be written whole"):
        write_clip(tmp_path / "clip.mp4", [], 5.0)
    assert write_clip(tmp_path / "clip.mp4", [NOISE] * 3, 5.0) == 3 == count(tmp_path / "clip.mp4")


def test_a_head_is_blocks_and_the_rest_is_as_it_was() -> None:
    zone = Box(100, 50, 220, 170)
    result = pixelate(NOISE, [zone])
    inside = result[50:170, 100:220]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= BLOCKS * BLOCKS
    outside = np.ones(NOISE.shape[:2], bool)
    outside[50:170, 100:220] = False
    assert np.array_equal(result[outside], NOISE[outside])
    small = pixelate(NOISE, [Box(10, 10, 28, 28)])[10:28, 10:28]
    assert len(np.unique(small.reshape(-1, 3), axis=0)) <= (18 // LEAST_BLOCK_PX) ** 2


@given(st.floats(0, 600), st.floats(0, 300), st.floats(1, 600), st.floats(1, 600))
def test_a_head_zone_covers_the_upper_part_of_every_box(left: float, top: float, width: float, height: float) -> None:
    box = Box(left, top, left + width, top + height)
    zone = head_zone(box)
    assert zone.left <= box.left and zone.right >= box.right and zone.top <= box.top
    assert zone.bottom >= min(box.bottom, box.top + 0.35 * box.height)
    assert box.width < box.height or zone.bottom >= box.bottom, "of somebody who lies, all of it"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 700), st.floats(-50, 400), st.floats(0, 300), st.floats(0, 300)), max_size=5))
def test_boxes_beyond_the_picture_break_nothing(boxes: list[tuple[float, float, float, float]]) -> None:
    zones = [Box(left, top, left + width, top + height) for left, top, width, height in boxes]
    assert pixelate(NOISE, zones).shape == NOISE.shape


def test_whoever_is_found_in_doubt_has_no_face_and_a_vehicle_none_to_hide() -> None:
    found = [Detection(PERSON, 0.05), Detection(PERSON, 0.9, Thing.PHONE), Detection(PERSON, 0.9, Thing.VEHICLE)]
    assert list(faces(found)) == [head_zone(PERSON), PERSON]


def test_a_missed_picture_shows_no_face_and_one_that_nobody_looked_at_shows_nothing() -> None:
    ring = Ring(20.0)
    for taken_s, looked in ((10.0, [PERSON]), (10.2, []), (11.5, []), (20.0, None)):
        ring.put(NOISE, taken_s, taken_s + 0.1, looked, None)
    seen, missed, later, blind = (blurred(still, ring.stills()) for still in ring.stills())
    still = ring.stills()[0].picture()
    part = np.s_[150:250, 110:150]
    assert not np.array_equal(seen[part], still[part]) and not np.array_equal(missed[part], still[part])
    assert np.array_equal(later[part], ring.stills()[2].picture()[part])
    assert len(np.unique(blind.reshape(-1, 3), axis=0)) <= BLOCKS * BLOCKS


def test_the_decisive_picture_is_the_newest_that_was_judged_before_the_alarm() -> None:
    ring = Ring(5.0)
    for step in range(100):
        ring.put(NOISE, step / 5, step / 5 + 0.15, [], None)
    assert ring.stills()[0].taken_s >= 14.8, "what is older than the ring is forgotten"
    decisive = ring.decisive(18.3)
    assert decisive is not None and decisive.taken_s == 18.0, "18.2 was taken before, but not judged yet"
    assert ring.decisive(1.0) is None
    assert sum(len(still.jpeg) for still in ring.stills()) <= MOST_BYTES
