"""The shipped bundle is what its manifest says, and a bundle that is not is refused in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from agent.core.errors import ConfigError, NotConnected
from models.bundle import Bundle, DetectorSpec, load_bundle
from models.inference import Vision, golden_faults
from models.layouts import decode
from models.options import BUNDLED
from tests.models.cameras import camera

PPE = BUNDLED / "ppe"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PPE, tmp_path / "ppe"))


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "manifest.yaml").read_text()
    assert old in text
    (folder / "manifest.yaml").write_text(text.replace(old, new, 1))


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_bundle(folder)
    return str(caught.value).replace(str(folder), "ppe")


def test_the_shipped_bundle_gives_its_golden_answers() -> None:
    bundle = load_bundle(PPE)
    assert golden_faults(bundle, Vision(bundle)) == []


def test_every_shipped_file_has_a_hash() -> None:
    files = {str(path.relative_to(PPE)) for path in PPE.rglob("*") if path.is_file()}
    assert files - {"manifest.yaml"} == set(load_bundle(PPE).manifest.files)


def test_a_changed_byte_is_refused(copy: Path) -> None:
    data = bytearray((copy / "detector.onnx").read_bytes())
    data[1000] ^= 1
    (copy / "detector.onnx").write_bytes(data)
    text = refusal(copy)
    assert text.startswith("ppe/manifest.yaml:10:18: detector.onnx: is not the file that the manifest names (sha256 ")
    assert text.endswith("; copy the bundle anew")


def test_a_missing_file_is_refused(copy: Path) -> None:
    (copy / "golden/bare.jpg").unlink()
    assert "golden/bare.jpg: cannot be read (No such file or directory); copy the bundle anew" in refusal(copy)


def test_a_file_without_a_hash_is_refused(copy: Path) -> None:
    edit(copy, "  file: wearing.onnx", "  file: other.onnx")
    assert "'other.onnx' has no hash; list it under 'files'" in refusal(copy)


def test_a_file_outside_the_bundle_is_refused(copy: Path) -> None:
    edit(copy, "  file: wearing.onnx", "  file: ../../etc/passwd")
    assert "'../../etc/passwd' leads out of the bundle; name a file in it" in refusal(copy)


def test_an_unknown_layout_is_refused(copy: Path) -> None:
    edit(copy, "layout: boxes_corners", "layout: yolo")
    assert "'boxes_corners' or 'boxes_centre'" in refusal(copy)


def test_a_wrong_answer_to_a_golden_case_is_told(copy: Path) -> None:
    edit(copy, "helmet: missing", "helmet: worn")
    bundle = load_bundle(copy)
    (fault,) = golden_faults(bundle, Vision(bundle))
    assert fault == "golden/bare.jpg: person 1: helmet missing, not worn"


async def test_a_camera_with_a_tampered_bundle_does_not_connect(copy: Path) -> None:
    with (copy / "wearing.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(NotConnected, match=r"ended with status 1: .*wearing.onnx: is not the file that the manifest"):
        await camera(model=str(copy)).connect()


SPEC = DetectorSpec(
    file="d.onnx",
    layout="boxes_corners",
    width=640,
    height=384,
    classes=("person", "hat"),
    person="person",
    sure=0.5,
    doubtful=0.3,
)
TWO = np.array([[[10, 20, 60, 170, 0.9, 0], [12, 22, 62, 172, 0.8, 0], [300, 20, 350, 170, 0.4, 0.9]]], np.float32)


def test_boxes_come_back_in_pixels_of_the_picture_without_doubles() -> None:
    first, second = decode(TWO, SPEC, 0.5)
    assert (first.box.left, first.box.bottom, round(first.score, 3)) == (20, 340, 0.9)
    assert (second.box.left, round(second.score, 3)) == (600, 0.4)


def test_centre_boxes_mean_the_same() -> None:
    centred = TWO.copy()
    centred[..., 2:4] = TWO[..., 2:4] - TWO[..., :2]
    centred[..., :2] = TWO[..., :2] + centred[..., 2:4] / 2
    spec = SPEC.model_copy(update={"layout": "boxes_centre"})
    assert decode(centred, spec, 1.0) == decode(TWO, SPEC, 1.0)


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the detector gave \[1, 6, 3\], not \[1, N, 6\]"):
        decode(TWO.transpose(0, 2, 1), SPEC, 1.0)


def test_nothing_found_is_an_empty_list() -> None:
    assert decode(np.zeros((1, 5, 6), np.float32), SPEC, 1.0) == []


def test_thresholds_of_a_camera_take_the_place_of_the_bundles() -> None:
    bundle: Bundle = load_bundle(PPE)
    vision = Vision(bundle)
    vision.tune(0.999, None, None)
    assert vision.sure == 0.999 and len(golden_faults(bundle, vision)) == 2
    vision.tune(bundle.manifest.detector.sure, 0.001, None)
    assert any("helmet unknown" in fault for fault in golden_faults(bundle, vision))
