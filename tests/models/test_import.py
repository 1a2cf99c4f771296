"""From an exported file to a bundle that a camera takes: import, look, confirm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from agent.cli.models_import import add_import
from agent.core.errors import ConfigError
from models.bundle import DetectorSpec, load_bundle, offered_by
from models.detection import Wearing
from models.inference import Vision, golden_faults
from models.labels import offered
from models.options import BUNDLED
from models.vocabulary import Gear, Thing
from tests.models.networks import constant

app = typer.Typer()
add_import(app)
TOLD = {
    "task": "detect",
    "head": "Detect",
    "end2end": "True",
    "author": "Ultralytics",
    "license": "AGPL-3.0",
    "imgsz": "[64, 64]",
    "names": "{0: 'Person', 1: 'Hardhat', 2: 'NO-Hardhat', 3: 'forklift', 4: 'head'}",
}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An end-to-end export that sees one bare head on one person, and a forklift, in any picture."""
    rows = np.zeros((1, 20, 6), np.float32)
    rows[0, :3] = [[8, 8, 24, 56, 0.9, 0], [12, 8, 20, 16, 0.8, 2], [36, 20, 60, 60, 0.7, 3]]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(pictures / name), np.full((128, 128, 3), 90, np.uint8))
    return constant(tmp_path / "best.onnx", [rows], metadata=TOLD)


def anshao(*words: Any) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_an_export_becomes_a_bundle_in_one_step_and_golden_by_a_person(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "yard"
    code, said = anshao(
        "import", export, "--out", out, "--pictures", tmp_path / "pictures", "--means", "head=no_helmet"
    )
    assert code == 0, said
    assert "layout yolo_e2e (by metadata)" in said and "judges: person, vehicle, no_helmet" in said
    assert "a.jpg: person, helmet missing; vehicle" in said
    assert cv2.imread(str(out / "shown/a.jpg")) is not None
    with pytest.raises(ConfigError, match="'golden' is missing"):
        load_bundle(out)

    code, said = anshao("import", "--confirm", out, "--only", "a.jpg")
    assert code == 0 and "1 golden cases" in said
    bundle = load_bundle(out)
    assert bundle.manifest.licence == "AGPL-3.0" and offered_by(out) == bundle.manifest.offers
    vision = Vision(bundle)
    assert golden_faults(bundle, vision) == []
    person, vehicle = vision.look(np.full((128, 128, 3), 90, np.uint8))
    assert person.wears(Gear.HELMET) is Wearing.MISSING and vehicle.thing is Thing.VEHICLE
    assert person.box.left == pytest.approx(16) and person.box.bottom == pytest.approx(112)

    code, said = anshao("evaluate", out, "--pictures", tmp_path / "pictures")
    assert code == 0 and "golden cases: as they should be" in said

    manifest = yaml.safe_load((out / "manifest.yaml").read_text())
    manifest["golden"][0]["persons"] = []
    manifest["golden"][0].pop("things")
    (out / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    code, said = anshao("evaluate", out)
    assert code == 1 and "1 persons found, not 0" in said and "1 vehicles found, not 0" in said


def test_a_label_that_is_not_known_is_asked_for(export: Path, tmp_path: Path) -> None:
    code, said = anshao("import", export, "--out", tmp_path / "yard")
    assert code == 0 and "mean nothing here: head; say what they stand for with --means LABEL=MEANING" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--means", "head=hat"], "'hat' is no known meaning; known are nothing, person"),
        (["--means", "hed=no_helmet"], "there is no class 'hed'"),
        (["--labels", "x,y,z"], "none of its classes means anything here (x, y, z)"),
        (["--layout", "yolo_v8"], "but yolo_v8: [1, 4 + classes, N]"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_leaves_nothing(
    words: list[str], reason: str, export: Path, tmp_path: Path
) -> None:
    code, said = anshao("import", export, "--out", tmp_path / "yard", *words)
    assert code == 1 and reason in said
    assert not (tmp_path / "yard").exists()


def test_a_picture_that_was_changed_is_not_confirmed(export: Path, tmp_path: Path) -> None:
    anshao("import", export, "--out", tmp_path / "yard", "--pictures", tmp_path / "pictures")
    with (tmp_path / "yard/golden/b.jpg").open("ab") as file:
        file.write(b"x")
    code, said = anshao("import", "--confirm", tmp_path / "yard")
    assert code == 1 and "golden/b.jpg is not the picture that was shown" in said


def test_a_folder_in_use_is_left_alone(export: Path, tmp_path: Path) -> None:
    code, said = anshao("import", export, "--out", tmp_path / "pictures")
    assert code == 1 and "is not empty; name another folder with --out" in said


def test_a_manifest_with_wrong_names_is_refused_at_its_place(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BUNDLED / "ppe", tmp_path / "ppe"))
    manifest = folder / "manifest.yaml"
    text = manifest.read_text()
    wrong = "  means: {helmet: hat}\n  thresholds: {wrench: 0.4}\n  nms_iou: 0.5"
    manifest.write_text(text.replace("  nms_iou: 0.5", wrong).replace("person: person", "person: human"))
    with pytest.raises(ConfigError) as caught:
        load_bundle(folder)
    said = str(caught.value)
    assert "'hat' is no known meaning" in said and "there is no class 'wrench'" in said
    assert "there is no class 'human'" in said


def test_the_detector_in_the_readme_is_right() -> None:
    text = (BUNDLED / "README.md").read_text().split("```yaml\n")[2].split("```")[0]
    spec = DetectorSpec.model_validate(yaml.safe_load(text)["detector"])
    assert offered(spec.meanings).gear == {Gear.HELMET}
