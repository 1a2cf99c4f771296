"""What makes a camera's pictures worth nothing, told in virtual time, on real footage that is tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.drain import Drain
from models.options import CameraOptions
from models.trust.faults import Effect, PictureFault, effects_of
from models.trust.hold import Hold
from models.trust.memory import Memory
from models.trust.pace import PaceWatch
from models.trust.watch import TrustWatch
from tests.models.cameras import FOOTAGE, YARD

Picture = npt.NDArray[np.uint8]
STEP_S = 0.5
FIXED = effects_of(False, {})


@cache
def clip(name: str = "empty.mp4") -> list[Picture]:
    """Return some pictures of a clip, in their order."""
    capture = cv2.VideoCapture(str(FOOTAGE / name))
    pictures: list[Picture] = []
    while True:
        there, picture = capture.read()
        if not there:
            return pictures[::2]
        pictures.append(np.asarray(picture, np.uint8))


def living(seconds: float, change: Callable[[Picture], Picture] = lambda picture: picture) -> Iterator[Picture]:
    """Yield the empty yard, again and again."""
    pictures = [change(picture) for picture in clip()]
    for number in range(round(seconds / STEP_S)):
        yield pictures[number % len(pictures)]


class Rig:
    def __init__(self, **more: object) -> None:
        self.now_s = 1000.0
        self.watch = TrustWatch(FIXED, 1 / STEP_S, **more)  # type: ignore[arg-type]
        self.seen: frozenset[PictureFault] = frozenset()

    def play(self, pictures: Iterator[Picture], empty: bool = True) -> dict[PictureFault, float]:
        """Return when each fault was first seen, in seconds from here."""
        began_s, first = self.now_s, dict[PictureFault, float]()
        for picture in pictures:
            self.now_s += STEP_S
            self.seen = self.watch.see(picture, self.now_s, empty)
            for fault in self.seen:
                first.setdefault(fault, round(self.now_s - began_s, 1))
        return first


def black(picture: Picture) -> Picture:
    return np.zeros_like(picture)


def cloth(picture: Picture) -> Picture:
    """Return a cloth before the lens: light comes through it on one side, and the sensor has noise."""
    height, width = picture.shape[:2]
    slope = np.linspace(40, 90, width)[None, :, None]
    noise = np.random.default_rng().normal(0, 2, (height, width, 1))
    return (slope + noise).clip(0, 255).repeat(3, axis=2).astype(np.uint8)


def defocus(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 6), np.uint8)


def turned(picture: Picture) -> Picture:
    """Return what the camera sees turned by a fifth of its view."""
    shift = picture.shape[1] // 5
    return np.ascontiguousarray(np.concatenate([picture[:, shift:], picture[:, :shift][:, ::-1]], axis=1))


def nightfall(picture: Picture) -> Picture:
    return (picture * 0.12).astype(np.uint8)


@pytest.mark.parametrize("name", ["empty.mp4", "yard.mp4"])
def test_living_footage_has_no_fault(name: str) -> None:
    rig = Rig()
    pictures = clip(name)
    assert rig.play(pictures[number % len(pictures)] for number in range(120)) == {}


@pytest.mark.parametrize(
    ("change", "fault", "limit_s"),
    [
        (black, PictureFault.BLACK, 6),
        (cloth, PictureFault.COVERED, 6),
        (nightfall, PictureFault.DARK, 61),
        (turned, PictureFault.MOVED, 33),
    ],
)
def test_a_tampered_picture_is_told_in_time_and_no_longer_than_it_lasts(
    change: Callable[[Picture], Picture], fault: PictureFault, limit_s: float
) -> None:
    rig = Rig()
    assert rig.play(living(30)) == {}
    first = rig.play(living(limit_s + 2, change))
    assert list(first) == [fault] and first[fault] <= limit_s
    rig.play(living(10))
    assert rig.seen == frozenset()


def test_blur_is_told_against_what_the_camera_showed_before() -> None:
    rig = Rig()
    always_soft = Rig()
    assert rig.play(living(660)) == {}
    assert always_soft.play(living(670, defocus)) == {}, "it never was sharper"
    first = rig.play(living(65, defocus))
    assert list(first) == [PictureFault.BLURRED] and 60 <= first[PictureFault.BLURRED] <= 62
    rig.play(living(7))
    assert rig.seen == frozenset()


def with_clock(picture: Picture, second: int) -> Picture:
    drawn = picture.copy()
    cv2.putText(drawn, f"2026-05-01 10:00:{second:02}", (10, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
    return drawn


@pytest.mark.parametrize("clock", [False, True])
def test_a_frozen_picture_is_told_within_ten_seconds_though_its_clock_runs(clock: bool) -> None:
    rig = Rig()
    rig.play(living(5))
    still = clip()[3]
    first = rig.play(with_clock(still, int(n * STEP_S)) if clock else still for n in range(24))
    assert list(first) == [PictureFault.FROZEN] and first[PictureFault.FROZEN] <= 10.0
    rig.play(living(1))
    assert rig.seen == frozenset()


def test_somebody_who_walks_through_a_still_picture_is_life() -> None:
    rig = Rig()
    still = clip()[3]

    def walk(number: int) -> Picture:
        drawn = still.copy()
        left = 40 + 6 * (number % 90)
        drawn[200:340, left : left + 40] = 60 + number % 7
        return drawn

    assert rig.play(walk(number) for number in range(150)) == {}


def test_a_moved_camera_stays_moved_through_the_night_and_a_restart_until_somebody_accepts() -> None:
    rig = Rig()
    rig.play(living(30))
    rig.play(living(40, turned))
    assert rig.seen == {PictureFault.MOVED}
    rig = Rig(saved=json.loads(json.dumps(rig.watch.saved())))

    def infrared(picture: Picture) -> Picture:
        grey = cv2.cvtColor(turned(picture), cv2.COLOR_BGR2GRAY)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)

    rig.play(living(60, infrared))
    assert rig.seen == {PictureFault.MOVED}, "the new view is not learnt as that of the night"
    rig.watch.accept()
    assert rig.play(living(60, turned)) == {}
    assert rig.play(living(40))[PictureFault.MOVED] <= 33, "now the old view is the wrong one"


def test_people_before_the_camera_do_not_move_it_unless_they_never_leave() -> None:
    rig = Rig()
    rig.play(living(30))
    assert rig.play(living(60, turned), empty=False) == {}
    assert rig.play(living(300, turned), empty=False)[PictureFault.MOVED] <= 275


def test_half_the_pictures_is_slow() -> None:
    watch = PaceWatch(5.0)
    assert not any(watch.is_slow(0.35 * step) for step in range(200))
    slow = [watch.is_slow(70 + 0.6 * step) for step in range(60)]
    assert slow[-1] and not any(slow[:20])
    assert not [watch.is_slow(107 + 0.2 * step) for step in range(120)][-1]


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 5)), max_size=60))
def test_a_fault_is_on_only_after_it_lasted(seen: list[tuple[bool, float]]) -> None:
    hold, now_s, false_s = Hold(3.0, 2.0), 0.0, 0.0
    for raw, step_s in seen:
        now_s += step_s
        false_s = now_s if not raw and not hold.is_on else false_s
        was = hold.is_on
        if hold.see(raw, now_s) and not was:
            assert raw and now_s - false_s >= 3.0


def test_what_waited_in_buffers_is_old_and_what_must_be_waited_for_is_new() -> None:
    drain = Drain()
    assert not any(drain.is_old(step * 0.1, step * 0.1 + 0.09) for step in range(50))
    stalled = [drain.is_old(10 + step * 0.005, 10 + (step + 1) * 0.005) for step in range(60)]
    assert all(stalled)
    assert not drain.is_old(10.3, 10.38)
    assert not drain.is_old(10.39, 10.48)


def test_a_camera_that_sends_a_picture_each_three_seconds_is_not_drained_for_ever() -> None:
    drain = Drain()
    old = [drain.is_old(3.0 * step, 3.0 * step + 2.9) for step in range(20)]
    assert old[0] is False and old[1] is True and not any(old[2:])


@pytest.mark.parametrize("fault", PictureFault)
def test_what_a_fault_does_can_be_said_otherwise(fault: PictureFault) -> None:
    assert effects_of(False, {fault: Effect.IGNORE})[fault] is Effect.IGNORE
    assert effects_of(True, {})[PictureFault.BLACK] is Effect.BLIND
    rig = Rig()
    rig.watch = TrustWatch({**FIXED, fault: Effect.IGNORE}, 1 / STEP_S)
    assert fault not in rig.play(living(8, black))


def test_a_memory_is_of_one_place_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cameras/gate.json"
    here = CameraOptions(source="rtsp://u:old@cam/1")
    Memory(path, here).save({"view": {}})
    assert Memory(path, CameraOptions(source="rtsp://u:new@cam/1")).load() == {"view": {}}
    assert Memory(path, CameraOptions(source="rtsp://cam/2")).load() is None
    assert "old" not in path.read_text()
    path.write_text("{")
    assert Memory(path, here).load() is None
    Memory(Path("/proc/nowhere/gate.json"), here).save({})
    assert YARD.exists()
