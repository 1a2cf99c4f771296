"""Recordings and what replays them; simulated devices."""

from __future__ import annotations

import errno
import math
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.app.plan import load_plan
from agent.cli.main import app
from agent.cli.record import recorded
from agent.core.clock import ManualClock, SystemClock
from agent.core.errors import NotConnected, Refused
from agent.core.model import PointInfo, Quality, Sample, Value
from agent.core.recording import MAGIC, ROWS, Head, NotARecording, Recording, Writer
from drivers import REGISTRY
from drivers.replay.driver import ReplayDriver, _polls
from drivers.replay.options import ReplayDevice
from drivers.simulated.options import FaultWindow, SimulatedPoint
from drivers.simulated.signals import value_at

START = datetime(2026, 11, 24, 8, tzinfo=UTC)
POINTS = (PointInfo("boiler.gas", "%LEL", "hall", "gas at the burner"), PointInfo("boiler.mode"), PointInfo("press.on"))
EMPTY = zlib.compress(b"{}")
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)


@st.composite
def rows(draw: st.DrawFn) -> Sample:
    value: Value = draw(VALUES)
    qualities = [Quality.BAD] if value is None else [Quality.GOOD, Quality.UNCERTAIN]
    seconds = draw(st.floats(min_value=0, max_value=1e6))
    source = draw(st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
    return Sample(
        draw(st.sampled_from(POINTS)).id,
        value,
        draw(st.sampled_from(qualities)),
        START + timedelta(seconds=seconds),
        seconds,
        source,
        draw(st.none() | st.text(min_size=1, max_size=10)),
    )


def write(path: Path, samples: list[Sample]) -> None:
    writer = Writer(path, Head(POINTS, START, "hall-3", "abc"), 0.0)
    writer.add(samples)
    writer.close()


@settings(max_examples=60)
@given(samples=st.lists(rows(), max_size=40))
def test_what_is_recorded_comes_back(tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]) -> None:
    path = tmp_path_factory.mktemp("r") / "plant.rec"
    write(path, samples)
    recording = Recording(path)
    assert recording.head == Head(POINTS, START, "hall-3", "abc")
    found = [sample for batch in recording.batches() for sample in batch]
    assert not recording.is_cut and len(found) == len(samples)
    for one, other in zip(found, samples, strict=True):
        big = isinstance(other.value, int) and not isinstance(other.value, bool) and abs(other.value) >= 2**53
        assert one.value == (float(other.value) if big else other.value)  # type: ignore[arg-type]
        assert type(one.value) is type(other.value) or big
        assert (one.point, one.quality, one.received_s, one.reason) == (
            other.point, other.quality, other.received_s, other.reason,
        )  # fmt: skip
        assert (one.source_time is None) is (other.source_time is None)
        if one.source_time and other.source_time:
            assert abs(one.source_time - other.source_time) < timedelta(milliseconds=1)


def many(count: int) -> list[Sample]:
    return [Sample("boiler.gas", float(n), Quality.GOOD, START, n / 10) for n in range(count)]


@pytest.mark.parametrize("where", ["its length", "its checksum", "its content", "two places", "all of it"])
def test_a_damaged_block_costs_only_itself(tmp_path: Path, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spoiled.rec"
    write(path, many(6 * ROWS))
    data = bytearray(path.read_bytes())
    starts, at = [], len(MAGIC)
    while at < len(data):
        starts.append(at)
        at += 8 + int.from_bytes(data[at : at + 4], "little")
    third = starts[3]
    places = {
        "its length": [range(third, third + 4)],
        "its checksum": [range(third + 4, third + 5)],
        "its content": [range(third + 500, third + 501)],
        "two places": [range(starts[1] + 9, starts[1] + 12), range(third, third + 8)],
        "all of it": [range(third, starts[4])],
    }[where]
    for place in places:
        for octet in place:
            data[octet] ^= 0xFF
    path.write_bytes(data)
    recording = Recording(path)
    found = [int(float(str(sample.value))) // ROWS for batch in recording.batches() for sample in batch]
    lost = {0, 2} if where == "two places" else {2}
    assert set(found) == set(range(6)) - lost and len(found) == (6 - len(lost)) * ROWS
    assert recording.gaps == len(places) and not recording.is_cut
    assert recorded(path) == 0 and f"damaged in {len(places)} place" in capsys.readouterr().out
    with structlog.testing.capture_logs() as logs:
        device = ReplayDevice(file=path, device="boiler")
        assert sum(map(len, _polls(ReplayDriver("boiler", device, {}, SystemClock())))) == len(found)
    assert [each["event"] for each in logs] == ["recording damaged, samples are missing"] * len(places)


def test_octets_of_nothing_at_the_end_are_no_block(tmp_path: Path) -> None:
    path = tmp_path / "zeros.rec"
    write(path, many(10))
    path.write_bytes(path.read_bytes() + bytes(4096))
    recording = Recording(path)
    assert sum(map(len, recording.batches())) == 10 and recording.is_cut


def test_a_file_that_is_cut_or_spoiled_is_read_up_to_there(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.rec", tmp_path / "cut.rec"
    write(whole, many(3 * ROWS))
    data = whole.read_bytes()
    for damaged in (data[:-10], data[: -len(data) // 4], data[:-5] + bytes(5)):
        cut.write_bytes(damaged)
        recording = Recording(cut)
        found = [sample.value for batch in recording.batches() for sample in batch]
        assert recording.is_cut and found == [float(n) for n in range(len(found))] and len(found) in (ROWS, 2 * ROWS)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no recording"),
        (b"PK\x03\x04", "is no recording"),
        (MAGIC, "is damaged"),
        (MAGIC + b"x" * 30, "is damaged"),
        (MAGIC + struct.pack("<II", len(EMPTY), zlib.crc32(EMPTY)) + EMPTY, "is damaged"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "x.rec").write_bytes(data)
    with pytest.raises(NotARecording, match=message):
        Recording(tmp_path / "x.rec")


def site(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text("gateway: {id: g, site: s}\ndevices:\n" + text)
    return path


async def test_a_recorded_plant_is_a_device(tmp_path: Path) -> None:
    write(
        tmp_path / "plant.rec", [*many(5), Sample.bad("press.on", "lost", ManualClock().now())._replace(received_s=0.4)]
    )
    plan = load_plan(site(tmp_path, "  boiler: {protocol: replay, file: plant.rec, speed: 100}\n"))
    assert {"boiler.gas", "boiler.mode"} <= set(plan.points) and "boiler.on" not in plan.points
    assert plan.points["boiler.gas"].unit == "%LEL"
    driver = plan.drivers["boiler"]
    session = await driver.connect()
    assert [(await session.read())[0].value for _ in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [sample.value for sample in await session.fetch(["boiler.gas", "boiler.mode"])] == [4.0, None]
    with pytest.raises(Refused):
        await session.write("boiler.gas", 1)
    for call in (session.read(), driver.connect()):
        with pytest.raises(NotConnected, match="the recording ended"):
            await call
    again = load_plan(
        site(tmp_path, "  p: {protocol: replay, file: plant.rec, device: press, speed: 100, loop: true}\n")
    )
    for _ in range(2):
        session = await again.drivers["p"].connect()
        (sample,) = await session.read()
        assert (sample.point, sample.reason) == ("p.on", "lost")
        with pytest.raises(NotConnected):
            await session.read()


def test_a_file_that_is_none_is_a_fault_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "text.rec").write_text("hello")
    path = site(tmp_path, "  a: {protocol: replay, file: none.rec}\n  b: {protocol: replay, file: text.rec}\n")
    shown = CliRunner().invoke(app, ["check", str(path)]).stderr
    assert "none.rec: No such file" in shown and "text.rec is no recording; 'anshao record' makes one" in shown


def test_recording_by_command(tmp_path: Path) -> None:
    bad = "bad: {faults: [{at: 0s, lasts: 9s}]}"
    points = f"points: {{gas: {{signal: ramp, amplitude: 10, unit: bar}}, on: {{value: true}}, {bad}}}"
    path = site(tmp_path, f"  boiler: {{protocol: simulated, poll: 50ms, {points}}}\n")
    out = str(tmp_path / "plant.rec")
    done = CliRunner().invoke(app, ["record", str(path), "-o", out, "--for", "1s"])
    assert done.exit_code == 0 and "samples in" in done.stdout
    shown = CliRunner().invoke(app, ["recorded", out]).stdout
    assert "boiler.gas" in shown and "bar" in shown and "boiler.bad" in shown
    counts = {sample.point for batch in Recording(Path(out)).batches() for sample in batch}
    assert counts == {"boiler.gas", "boiler.on", "boiler.bad"}
    assert "exists; name another file" in CliRunner().invoke(app, ["record", str(path), "-o", out]).stderr


def boiler(folder: Path) -> Path:
    return site(folder, "  boiler: {protocol: simulated, poll: 50ms, points: {gas: {signal: ramp, amplitude: 10}}}\n")


def _heed_signals() -> None:
    """A shell's background ignores SIGINT, and nohup SIGHUP: what a process ignores its children do, too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_the_recorder_leaves_a_whole_file(tmp_path: Path, kind: signal.Signals) -> None:
    out = tmp_path / "plant.rec"
    command = [sys.executable, "-m", "agent", "record", str(boiler(tmp_path)), "-o", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_heed_signals) as recorder:
        deadline = time.monotonic() + 20
        while not out.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
        recorder.send_signal(kind)
        try:
            assert "samples in" in recorder.communicate(timeout=10)[0] and recorder.returncode == 0
        finally:
            recorder.kill()
    recording = Recording(out)
    assert sum(map(len, recording.batches())) > 5 and not recording.is_cut


def test_little_is_lost_when_the_power_fails(tmp_path: Path) -> None:
    path = tmp_path / "plant.rec"
    writer = Writer(path, Head(POINTS, START), 0.0)
    assert Recording(path).head.points == POINTS, "the head is there from the start"
    for sample in many(250):  # ten a second
        writer.add([sample])
    assert sum(map(len, Recording(path).batches())) > 200
    writer.close()


def test_a_disk_that_is_full_is_said_with_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, flush = iter([True, False]), Writer._flush

    def full(self: Writer, rows: Sequence[Sample]) -> None:
        if not next(kept, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(self, rows)

    monkeypatch.setattr(Writer, "_flush", full)
    monkeypatch.setattr("agent.core.recording.LONGEST_WAIT_S", 0.2)
    done = CliRunner().invoke(app, ["record", str(boiler(tmp_path)), "-o", str(tmp_path / "a.rec"), "--for", "30s"])
    assert done.exit_code == 1 and "a.rec: No space left on device; it holds the" in done.stderr
    assert "driver failed" not in done.output


def simulated(**options: object) -> SimulatedPoint:
    return SimulatedPoint.model_validate(options)


@given(st.sampled_from(["constant", "ramp", "sine", "square", "random"]), st.floats(0, 1e5), st.integers(0, 9))
def test_signals_stay_in_their_bounds_and_are_the_same_again(signal: str, seconds: float, seed: int) -> None:
    point = simulated(signal=signal, value=50, amplitude=10, period=7.0, noise=1)
    value = value_at(point, "p", seed, seconds)
    assert isinstance(value, float) and 39 <= value <= 61 and value == value_at(point, "p", seed, seconds)


def test_forms_of_signals() -> None:
    assert value_at(simulated(signal="sine", value=5, amplitude=2, period=4.0), "p", 0, 1.0) == 7.0
    assert value_at(simulated(signal="ramp", amplitude=8, period=4.0), "p", 0, 5.0) == 2.0
    assert [value_at(simulated(signal="square", amplitude=3, period=2.0), "p", 0, s) for s in (0.5, 1.5)] == [3.0, 0.0]
    steps = simulated(signal="steps", levels=["stopped", 5, True], period=1.0)
    assert [value_at(steps, "p", 0, s) for s in (0.0, 1.2, 2.9, 3.0)] == ["stopped", 5, True, "stopped"]
    window = FaultWindow.model_validate({"at": 2.0, "lasts": 1.0, "every": 10.0})
    assert [window.covers(s) for s in (1.9, 2.0, 3.0, 12.5, 13.1)] == [False, True, False, True, False]
    assert math.isclose(float(str(value_at(simulated(value=3), "p", 0, 9.9))), 3)


async def test_a_simulated_device_polls_and_keeps_what_is_written() -> None:
    kind = REGISTRY["simulated"]
    points = {
        "level": {"signal": "sine", "amplitude": 1, "scale": 10},
        "valve": {"writable": True},
        "slow": {"poll": 9.0},
    }
    device = kind.device.model_validate({"poll": 0.02})
    parsed = {name: kind.point.model_validate(each) for name, each in points.items()}
    session = await kind.build("sim", device, parsed, SystemClock()).connect()
    other = await kind.build("sim", device, parsed, SystemClock()).connect()
    seen = [sample.point for _ in range(6) for sample in await session.read()]
    assert seen.count("sim.slow") == 1 and seen.count("sim.level") >= 4
    await other.write("sim.valve", 42)
    assert [sample.value for sample in await session.fetch(["sim.valve"])] == [42]
    with pytest.raises(Refused):
        await session.write("sim.level", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signal": "sine", "writable": True}, "leave 'signal' out"),
        ({"signal": "steps"}, "belong together"),
        ({"signal": "ramp", "value": "x"}, "goes around a number"),
    ],
)
def test_what_a_simulated_point_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulated(**options)
