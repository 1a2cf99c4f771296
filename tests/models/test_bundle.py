"""The shipped bundle is what its manifest says, and a bundle that is not is refused in words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.core.errors import ConfigError, NotConnected
from models.bundle import Bundle, load_bundle
from models.inference import Vision, golden_faults
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
    assert "'boxes_corners', 'boxes_centre', 'yolo_v8'" in refusal(copy)


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


def test_thresholds_of_a_camera_take_the_place_of_the_bundles() -> None:
    bundle: Bundle = load_bundle(PPE)
    vision = Vision(bundle)
    vision.tune(0.999, None, None)
    assert vision.sure == 0.999 and len(golden_faults(bundle, vision)) == 2
    vision.tune(bundle.manifest.detector.sure, 0.001, None)
    assert any("helmet unknown" in fault for fault in golden_faults(bundle, vision))
