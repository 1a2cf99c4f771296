"""A camera as the agent sees it: its worker may die, hang or see nothing, and each is told in time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.core.errors import NotConnected, Refused
from agent.core.model import Quality
from models.options import BUNDLED, COUNTERS, PACES
from models.trust.faults import PictureFault
from tests.models.cameras import YARD, camera, connected, gone, is_blind, read_until, sees
from tests.models.mjpeg import MjpegCamera

FACTS = {
    "gate.persons",
    "gate.no_helmet",
    "gate.unknown_ppe",
    "gate.yard.persons",
    "gate.yard.no_helmet",
}
HEALTH = {f"gate.{name}" for name in ("camera_ok", *PACES, *COUNTERS)}
TROUBLES = {"gate.sparse", *(f"gate.{fault}" for fault in PictureFault)}
TIMEOUT_S = 1.0


def test_the_agent_loads_no_vision_library() -> None:
    code = "import sys, models; print([m for m in ('numpy', 'cv2', 'onnxruntime') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_points_are_known_before_it_connects() -> None:
    points = {point.id: point for point in camera().points}
    assert set(points) == HEALTH | TROUBLES | FACTS
    assert points["gate.yard.no_helmet"].stale_after_s == 2.0
    assert points["gate.yard.no_helmet"].zone == "yard"
    assert {point.stale_after_s for point in camera(fps=1).points} == {3.0}


def test_without_zones_the_whole_picture_demands_both() -> None:
    names = {point.id for point in camera(zones={}).points} - HEALTH - TROUBLES
    assert names == {f"gate.{fact}" for fact in ("persons", "no_helmet", "no_vest", "unknown_ppe")}


async def test_a_file_gives_facts_and_a_picture() -> None:
    driver = camera()
    async with connected(driver) as session:
        facts = await read_until(session, lambda facts: (facts["gate.yard.no_helmet"].value or 0) != 0)
        assert set(facts) == {point.id for point in driver.points}
        assert facts["gate.persons"].value == facts["gate.yard.persons"].value
        assert all(sample.quality is not Quality.BAD for sample in facts.values())
        picture = driver.picture()
        assert picture is not None
        shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None and shown.shape == (576, 960, 3)
        with pytest.raises(Refused):
            await session.write("gate.persons", 0)
    assert driver.picture() is None


async def test_fetch_gives_what_was_asked_for() -> None:
    async with connected(camera()) as session:
        (sample,) = await session.fetch(["gate.camera_ok"])
        assert sample.value is True


async def test_the_pace_is_kept() -> None:
    async with connected(camera(fps=4)) as session:
        until_s = time.monotonic() + 4
        facts = await read_until(session, lambda _: time.monotonic() > until_s)
        assert facts["gate.fps"].value == pytest.approx(4, abs=0.7)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
async def test_a_worker_that_dies_or_hangs_is_told_in_time(fault: signal.Signals) -> None:
    async with connected(camera(timeout=TIMEOUT_S)) as session:
        await read_until(session, sees)
        os.kill(session.pid, fault)
        began_s = time.monotonic()
        with pytest.raises(NotConnected, match=r"was killed by signal|was silent for 1 s"):
            await read_until(session, lambda _: False)
        assert time.monotonic() - began_s < TIMEOUT_S + 0.5
    assert await gone(session.pid, 1.0)


async def test_close_ends_a_hanging_worker_within_a_second() -> None:
    session = await camera().connect()
    pid: int = session.pid  # type: ignore[attr-defined]
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    await session.close()
    assert time.monotonic() - began_s < 1 and await gone(pid, 0.1)


async def test_a_source_that_is_not_there_is_blind_until_it_is(tmp_path: Path) -> None:
    source = tmp_path / "late.mp4"
    driver = camera(source)
    async with connected(driver) as session:
        facts = await read_until(session, is_blind)
        reason = f"camera blind: {source}: there is no such file"
        assert {point for point, sample in facts.items() if sample.quality is Quality.BAD} == FACTS | TROUBLES
        assert {facts[point].reason for point in FACTS} == {reason}
        assert driver.picture() is None
        shutil.copy(YARD, source)
        await read_until(session, sees)


async def test_a_file_that_is_no_video_is_told(tmp_path: Path) -> None:
    source = tmp_path / "notes.mp4"
    source.write_text("not a video")
    async with connected(camera(source)) as session:
        facts = await read_until(session, is_blind)
        assert "is not a video that can be read" in str(facts["gate.persons"].reason)


async def test_a_file_that_ends_is_blind(tmp_path: Path) -> None:
    source = tmp_path / "short.avi"
    write_video(source, seconds=1)
    async with connected(camera(source, loop=False)) as session:
        await read_until(session, sees)
        facts = await read_until(session, is_blind)
        assert facts["gate.persons"].reason == "camera blind: the file has ended"


async def test_a_black_picture_is_blind(tmp_path: Path) -> None:
    source = tmp_path / "black.avi"
    write_video(source, seconds=2, brightness=0)
    async with connected(camera(source)) as session:
        facts = await read_until(session, is_blind)
        assert "the picture is black" in str(facts["gate.persons"].reason)


async def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from tests.models.cameras import camera\n"
        "async def main():\n"
        "    session = await camera().connect()\n"
        "    print(session.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    os.kill(worker, signal.SIGSTOP)  # even one that hangs
    parent.kill()
    await parent.wait()
    assert await gone(worker)


def write_video(path: Path, seconds: int, brightness: int = 120) -> None:
    """Write a lossless clip of 10 frames per second."""
    random = np.random.default_rng(1)
    still = random.integers(0, 40, (240, 320, 3))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10, (320, 240))
    assert writer.isOpened()
    for _ in range(10 * seconds):
        change = random.integers(0, 20, still.shape)
        writer.write(((still + change + brightness) if brightness else np.zeros_like(still)).astype(np.uint8))
    writer.release()


async def test_a_stream_over_http_is_seen_and_its_silence_is_blindness() -> None:
    server = MjpegCamera(YARD)
    try:
        async with connected(camera(server.url, timeout=2.0)) as session:
            await read_until(session, lambda facts: (facts["gate.no_helmet"].value or 0) != 0)
            server.hanging.set()
            await read_until(session, is_blind, limit_s=6)
    finally:
        server.shutdown()
        server.server_close()


async def test_a_network_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(BUNDLED / "ppe", tmp_path / "ppe"))
    (bundle / "wearing.onnx").write_bytes(b"not a network")
    manifest = (bundle / "manifest.yaml").read_text()
    known = hashlib.sha256((BUNDLED / "ppe/wearing.onnx").read_bytes()).hexdigest()
    other = hashlib.sha256(b"not a network").hexdigest()
    (bundle / "manifest.yaml").write_text(manifest.replace(known, other))
    with pytest.raises(
        NotConnected, match=r"ended with status 1: .*/ppe/manifest.yaml:\d+:\d+: wearing.onnx is not an ONNX"
    ):
        await camera(model=str(bundle)).connect()
