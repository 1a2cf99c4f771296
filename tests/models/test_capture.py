"""Sources as they are in the field: silent, gone, locked, too large; folders; and a worker that takes too much."""

from __future__ import annotations

import json
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from agent.core.errors import NotConnected
from agent.core.model import Quality
from models.capture import folder
from models.detection import Offer
from models.knock import LoginRefused, SourceLost, _digest, knock
from models.options import CameraOptions
from models.trust.memory import Memory
from models.trust.view import LEARN_FROM
from models.wire import Ready
from models.worker import Worker
from tests.models.cameras import YARD, ZONES, camera, connected, is_blind, read_until, sees
from tests.models.hostile import hostile
from tests.models.mjpeg import MjpegCamera
from tests.models.test_trust import Rig, living, turned

SECRET = "geh3im"
REFUSAL = b'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="cam", nonce="ab12"\r\n\r\n'


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time(scheme: str) -> None:
    with hostile() as server:
        began_s = time.monotonic()
        with pytest.raises(SourceLost, match=f"127.0.0.1:{server.port}: no answer"):
            knock(f"{scheme}://127.0.0.1:{server.port}/x", 0.4)
        assert time.monotonic() - began_s < 0.8


def test_a_dead_host_is_given_up_in_time() -> None:
    began_s = time.monotonic()
    with pytest.raises(SourceLost, match=r"192\.0\.2\.1:554: "):  # an address that nobody has (RFC 5737)
        knock("rtsp://192.0.2.1/x", 0.5)
    assert time.monotonic() - began_s < 1.0


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (REFUSAL, LoginRefused, "refuses this user and password"),
        (b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n", SourceLost, "404: there is no such stream; check the path"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", SourceLost, "answers 503"),
    ],
)
def test_what_a_server_refuses_is_told_without_the_password(answer: bytes, error: type[SourceLost], words: str) -> None:
    with hostile(answer) as server, pytest.raises(error, match=words) as caught:
        knock(f"rtsp://viewer:{SECRET}@127.0.0.1:{server.port}/x", 1.0)
    assert SECRET not in str(caught.value) and "viewer" not in str(caught.value)
    assert not any(SECRET in request for request in server.requests)


def test_what_makes_no_sense_is_left_to_the_library() -> None:
    with hostile(b"hello\r\n\r\n") as server:
        knock(f"rtsp://127.0.0.1:{server.port}/x", 1.0)


def test_a_digest_is_what_rfc_2069_says() -> None:
    fields = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}
    text = _digest(fields, "Mufasa", "Circle Of Life", "GET", "/dir/index.html")
    assert 'response="670fd8c2df070c60b045671b8b24ff02"' in text


async def test_a_refused_password_is_tried_once_and_stands_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with hostile(REFUSAL) as server:
        driver = camera(f"rtsp://viewer:{SECRET}@127.0.0.1:{server.port}/x", timeout=1.0)
        async with connected(driver) as session:
            facts = await read_until(session, lambda facts: is_blind(facts) and "refuses" in str(facts["gate.persons"]))
            for name in ("cmdline", "environ"):
                assert SECRET.encode() not in Path(f"/proc/{session.pid}/{name}").read_bytes()
            until_s = time.monotonic() + 3.0
            await read_until(session, lambda _: time.monotonic() > until_s)
        assert server.logins() == 1, "a camera locks the account of who tries too often"
    assert SECRET not in str(facts) + repr(driver.points) + "".join(capfd.readouterr())


def test_a_folder_is_shown_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name, grey in (("b.png", 60), ("a.png", 30), ("c.jpg", 90)):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), grey, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "bad.png").write_text("no picture either")
    once = CameraOptions(source=str(tmp_path), fps=30, loop=False)
    began_s = time.monotonic()
    assert [round(float(picture.mean()), -1) for picture in folder(once)] == [30, 60, 90]
    assert 0.05 < time.monotonic() - began_s < 1.0
    again = folder(once.model_copy(update={"loop": True}))
    assert [int(next(again)[0, 0, 0]) for _ in range(5)] == pytest.approx([30, 60, 90, 30, 60], abs=2)


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="holds no picture"):
        list(folder(CameraOptions(source=str(tmp_path))))


async def test_a_large_stream_is_advised_against_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "large.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (1920, 1080))
    coarse = np.random.default_rng(1).integers(0, 255, (68, 120, 3), np.uint8)  # noise would cost a second a picture
    for _ in range(30):
        writer.write(cv2.resize(coarse, (1920, 1080), interpolation=cv2.INTER_NEAREST))
    writer.release()
    server = MjpegCamera(tmp_path / "large.avi")
    try:
        async with connected(camera(server.url)) as session:
            facts = await read_until(session, sees)
            await read_until(session, sees)
        assert str(facts["gate.camera_ok"].reason).startswith("the stream is 1920x1080; take the camera's sub-stream")
        assert facts["gate.received"].value > 0  # type: ignore[operator]
    finally:
        server.shutdown()
        server.server_close()


async def test_a_worker_that_takes_too_much_memory_is_ended() -> None:
    async with connected(camera()) as session:
        session._memory_mb = 20
        with pytest.raises(NotConnected, match=r"took \d+ MB of memory, more than memory_mb"):
            await read_until(session, lambda _: False)


def test_a_library_that_does_not_come_back_ends_the_worker() -> None:
    options = CameraOptions(source="rtsp://127.0.0.1/x", timeout=1.0)
    vision = SimpleNamespace(sure=0.5, offers=Offer(frozenset(), frozenset()), ready=Ready("none", "1.0.0", ""))
    worker = Worker(options, vision, BytesIO(), Memory(None, options))  # type: ignore[arg-type]
    worker._last_taken_s -= 60
    worker._without_frame()
    worker._slot.turned_s -= 10
    with pytest.raises(SystemExit, match="the video library hangs"):
        worker._without_frame()


async def test_a_frozen_source_is_told_within_ten_seconds(tmp_path: Path) -> None:
    source = tmp_path / "frozen.avi"
    writer = cv2.VideoWriter(str(source), cv2.VideoWriter.fourcc(*"FFV1"), 10, (320, 240))
    for _ in range(20):
        writer.write(np.random.default_rng(1).integers(0, 200, (240, 320, 3), np.uint8))
    writer.release()
    async with connected(camera(source)) as session:
        await read_until(session, sees)
        began_s = time.monotonic()
        facts = await read_until(session, is_blind, limit_s=12)
        assert time.monotonic() - began_s <= 10.0
    assert facts["gate.frozen"].value is True and "the picture is frozen" in str(facts["gate.persons"].reason)


async def test_a_moved_camera_is_unknown_in_its_zones_until_somebody_accepts(tmp_path: Path) -> None:
    """Also after a restart of the worker; people may still look at its picture."""
    options = CameraOptions.model_validate({"source": str(YARD), "zones": ZONES})
    rig = Rig()
    rig.play(living(2 * LEARN_FROM + 4, turned))
    saved = rig.watch.saved()
    saved["view"]["moved"] = True
    Memory(tmp_path / "gate.json", options).save(saved)
    driver = camera(state=tmp_path)
    async with connected(driver) as session:
        facts = await read_until(session, lambda _: driver.picture() is not None)
        assert facts["gate.moved"].value is True and facts["gate.camera_ok"].value is False
        assert facts["gate.yard.persons"].quality is facts["gate.persons"].quality is Quality.BAD
        driver.accept()
        facts = await read_until(session, lambda facts: facts["gate.yard.persons"].quality is Quality.GOOD)
        assert facts["gate.moved"].value is False and sees(facts)
    assert json.loads((tmp_path / "gate.json").read_text())["saved"]["view"] == {"references": {}, "moved": False}
    with pytest.raises(NotConnected):
        driver.accept()


def test_a_moving_camera_is_not_asked_where_it_looks() -> None:
    names = {point.id for point in camera(mode="moving", zones={}).points}
    assert {"gate.black", "gate.frozen", "gate.persons", "gate.no_helmet"} <= names
    assert not {"gate.moved", "gate.blurred", "gate.covered"} & names
