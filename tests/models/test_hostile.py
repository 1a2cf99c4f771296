"""Networks that want to do harm are refused before they are loaded, or contained while they are tried."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import ConfigError, NotAllowed
from models import onnx_file
from models.bundle import load_bundle
from models.capture import Frame
from models.detection import Offer
from models.inference import Vision, open_session
from models.inspection import Question, inspect
from models.options import BUNDLED, CameraOptions
from models.policy import NEWEST, NEWEST_IR, examine
from models.running import RUNTIME_ERRORS, ModelFault, Network
from models.trust.memory import Memory
from models.wire import Ready
from models.worker import Worker
from tests.models.networks import FLOAT, INT64, constant, field, graph, integer, model, node, port, tensor

X, Y = port("x", FLOAT, (1, 3, 64, 64)), port("y", FLOAT, ("n",))
ANSWER = np.full((1, 300, 6), 0.5, np.float32)
ENDLESS = graph(
    [node("Identity", ["c"], ["c2"]), node("Identity", ["v"], ["v2"])],
    [port("i", INT64, ()), port("c", 9, ()), port("v", FLOAT, ("n",))],
    [port("c2", 9, ()), port("v2", FLOAT, ("n",))],
)


def loop() -> bytes:
    """A loop of as many turns as a 64-bit number can count."""
    turns, go_on = tensor("turns", np.array(2**62, np.int64)), field(2, 9) + field(8, "on") + field(9, b"\x01")
    body = field(5, field(1, "body") + field(6, ENDLESS) + field(20, 5))
    nodes = [node("Loop", ["turns", "on", "start"], ["y"], body)]
    return graph(nodes, [X], [Y], [turns, go_on, tensor("start", np.zeros(1, np.float32))])


def identity(extra: bytes = b"", kind: str = "Identity", domain: str = "") -> bytes:
    return graph([node(kind, ["w"], ["y"], domain=domain)], [X], [Y], [tensor("w", np.ones(1, np.float32), extra)])


def many(count: int) -> bytes:
    nodes = [node("Identity", ["w"], [f"y{i}"]) for i in range(count)]
    outputs = [port(f"y{i}", FLOAT, (1,)) for i in range(count)]
    return graph(nodes, [X], outputs, [tensor("w", np.ones(1, np.float32))])


LOCATION = field(13, field(1, "location") + field(2, "../../etc/passwd"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (model(identity(LOCATION + field(14, 1))), "keeps data of 'w' in another file (external data)"),
        (model(identity(LOCATION)), "keeps data of 'w' in another file (external data)"),
        (model(identity(domain="evil.ops", kind="Run")), "do not belong to ONNX: evil.ops.Run"),
        (model(loop()), "operators that may run for ever or hide others: Loop, a graph within an operator"),
        (model(graph([node("If", ["c"], ["y"])], [X], [Y])), "may run for ever or hide others: If"),
        (model(many(5)), "has 5 outputs; no known layout has more than 4"),
        (model(identity(), opset=99), f"needs ai.onnx operator set 99; the runtime here knows up to {NEWEST['']}"),
        (model(identity(), ir=77), f"has format version 77; the runtime here knows up to {NEWEST_IR}"),
        (b"", "is empty, or not a file"),
        (b"PK\x03\x04 not a network", "is not an ONNX model"),
        (model(identity())[:60], "is not an ONNX model, or is cut off"),
        (field(7, b"\x0a\x00" * (onnx_file.MOST_PARTS + 9)), f"has more than {onnx_file.MOST_PARTS} parts"),
    ],
)
def test_it_is_refused_before_it_is_loaded(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "best.onnx"
    path.write_bytes(data)
    _, reasons = examine(path)
    assert any(reason in told for told in reasons), reasons
    assert all(told.startswith("best.onnx ") for told in reasons)


def test_a_second_graph_in_the_file_is_seen_too(tmp_path: Path) -> None:
    """The format lets a field be given twice; a loader merges what a careless reader skips."""
    (tmp_path / "x.onnx").write_bytes(model(identity()) + field(7, loop()))
    assert any("Loop" in told for told in examine(tmp_path / "x.onnx")[1])


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "x.onnx").open("wb") as file:
        file.truncate(onnx_file.MOST_BYTES + 1)
    assert examine(tmp_path / "x.onnx")[1] == ["x.onnx has 200 MB; at most 200 MB are taken"]


def test_every_reason_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(model(identity(LOCATION, "Run", "evil"), ir=77))
    assert len(examine(tmp_path / "x.onnx")[1]) == 3


def test_the_runtime_knows_what_we_say_that_it_knows(tmp_path: Path) -> None:
    for opset, ir in ((NEWEST[""], NEWEST_IR), (NEWEST[""] + 1, 8), (17, NEWEST_IR + 1)):
        data, ours = model(identity(), opset=opset, ir=ir), True
        try:
            ort.InferenceSession(data, providers=["CPUExecutionProvider"])
        except RUNTIME_ERRORS:
            ours = False
        (tmp_path / "x.onnx").write_bytes(data)
        assert (examine(tmp_path / "x.onnx")[1] == []) is ours


def refusal(path: Path, limit_s: float = 20.0, **known: Any) -> str:
    with pytest.raises(NotAllowed) as caught:
        inspect(Question(str(path), ("a", "b"), **known), limit_s)
    return str(caught.value)


def test_a_memory_bomb_is_contained(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    size = tensor("big", np.array([1 << 40], np.int64))
    path.write_bytes(model(graph([node("ConstantOfShape", ["big"], ["y"])], [X], [Y], [size])))
    assert path.stat().st_size < 200
    assert refusal(path).startswith("x.onnx ")


def test_what_is_too_slow_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    assert "was not done within 0.2 s" in refusal(constant(tmp_path / "x.onnx", [ANSWER]), 0.2)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    path = constant(tmp_path / "x.onnx", [np.full((1, 300, 6), value, np.float32)])
    assert "gave values that are no numbers (NaN or infinite)" in refusal(path)


def test_a_shape_of_no_layout_is_refused(tmp_path: Path) -> None:
    path = constant(tmp_path / "x.onnx", [np.zeros((1, 5, 5, 5), np.float32)])
    assert "gives [1, 5, 5, 5] with 2 classes, but no known layout gives that" in refusal(path)


def test_a_network_for_several_pictures_is_refused(tmp_path: Path) -> None:
    weights = [tensor("w", np.ones(1, np.float32))]
    body = graph([node("Identity", ["w"], ["y"])], [port("x", FLOAT, (4, 3, 64, 64))], [Y], weights)
    (tmp_path / "x.onnx").write_bytes(model(body))
    assert "takes 4 pictures at once" in refusal(tmp_path / "x.onnx")


def test_flipped_bits_never_take_the_caller_down(tmp_path: Path) -> None:
    data = constant(tmp_path / "x.onnx", [ANSWER[:, :20]]).read_bytes()
    rng = np.random.default_rng(5)
    ends = 0
    for _ in range(8):
        mutant = bytearray(data)
        for at in rng.integers(0, len(data), 6):
            mutant[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "m.onnx").write_bytes(mutant)
        try:
            inspect(Question(str(tmp_path / "m.onnx"), ("a", "b"), "yolo_e2e"))
        except NotAllowed as told:
            assert str(told).startswith("m.onnx ")
        ends += 1
    assert ends == 8


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_the_reader_ends_with_an_answer_or_a_reason(tail: bytes, at: int, value: int) -> None:
    data = bytearray(model(loop(), {"names": "{0: 'a'}"}) + tail)
    data[at % len(data)] = value
    with memoryview(data) as whole:
        try:
            onnx_file._Reader()._model(whole)
        except ValueError as reason:
            assert str(reason)


def test_a_run_that_does_not_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(model(loop()))
    network = Network(open_session(str(tmp_path / "x.onnx")), "x.onnx", 0.3)
    began = time.monotonic()
    with pytest.raises(ModelFault, match=r"x.onnx took longer than 0.3 s on one picture"):
        network({"x": np.zeros((1, 3, 64, 64), np.float32)})
    assert time.monotonic() - began < 3


def test_a_network_that_casts_to_another_type_is_told(tmp_path: Path) -> None:
    body = graph([node("Cast", ["x"], ["y"], integer("to", FLOAT))], [port("x", 11, (1, 3, 64, 64))], [Y])
    (tmp_path / "x.onnx").write_bytes(model(body))
    assert "takes tensor(double) at input 'x'" in refusal(tmp_path / "x.onnx")


def test_a_bundle_with_such_a_network_is_refused_although_its_hash_is_right(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUNDLED / "ppe", tmp_path / "ppe"))
    before = hashlib.sha256((folder / "detector.onnx").read_bytes()).hexdigest()
    (folder / "detector.onnx").write_bytes(model(loop()))
    text = (folder / "manifest.yaml").read_text()
    now = hashlib.sha256(model(loop())).hexdigest()
    (folder / "manifest.yaml").write_text(text.replace(before, now))
    with pytest.raises(ConfigError, match=r"10:18: detector.onnx has operators that may run for ever"):
        load_bundle(folder)


class Broken:
    """A network that worked when it was loaded, and gives nonsense since."""

    sure = 0.5
    offers = Offer(frozenset(), frozenset())
    ready = Ready("broken", "1.0.0", "")

    def look(self, _picture: Any, _wanted: Any) -> Any:
        raise ModelFault("detector.onnx gave values that are no numbers (NaN or infinite)")


def test_a_network_without_an_answer_makes_the_camera_blind_not_empty() -> None:
    out = io.BytesIO()
    options = CameraOptions(source="usb:0")
    worker = Worker(options, cast(Vision, Broken()), out, Memory(None, options))
    picture = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    worker._with_frame(Frame(1, time.monotonic(), picture))
    report = json.loads(out.getvalue())["report"]
    assert report["blind"] == "detector.onnx gave values that are no numbers (NaN or infinite)"
    assert report["whole"] is None
