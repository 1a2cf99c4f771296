"""What a camera's options refuse, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.config import load_site
from agent.core.document import Document
from models import CAMERA
from models.options import BUNDLED, CameraOptions
from models.redaction import redact

TRIANGLE = "[[0, 0], [1, 0], [1, 1]]"


def faults_of(text: str, folder: Path) -> list[str]:
    """Return line:column: message of each fault."""
    _, faults = Document(str(folder / "site.yaml"), text).read(CameraOptions)
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in faults]


def test_a_bare_path_starts_from_the_site_file(tmp_path: Path) -> None:
    options, faults = Document(str(tmp_path / "site.yaml"), "source: video/gate.mp4").read(CameraOptions)
    assert not faults and options is not None
    assert options.source == str(tmp_path / "video/gate.mp4")
    assert options.is_file and options.usb_index is None


@pytest.mark.parametrize("source", ["rtsp://10.0.0.9/ch1", "http://cam/mjpeg", "usb:3"])
def test_urls_and_usb_stay_as_they_are(source: str) -> None:
    options = CameraOptions(source=source)
    assert options.source == source and not options.is_file


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("source: rtps://cam/1", "1:9: cannot read rtps:// sources; did you mean 'rtsps'?"),
        ("source: rtsp:///1", "1:9: 'rtsp:///1' names no usable host and port; write rtsp://HOST[:PORT]/PATH"),
        (
            "source: rtsp://u:secret@:x/1",
            "1:9: 'rtsp://***@:x/1' names no usable host and port; write rtsp://HOST[:PORT]/PATH",
        ),
        (
            "source: usb0",
            "1:9: 'usb0' is not a USB camera; write usb: and its number, such as usb:0 for /dev/video0",
        ),
        ("source: usb:0\nmodel: pep", "2:8: there is no model 'pep'; did you mean 'ppe'?"),
        ("source: usb:0\nmodel: ./x", "2:8: './x' is not a model bundle: it has no file manifest.yaml"),
        ("source: usb:0\nloop: false", "1:1: 'loop' is for files and folders; leave it out"),
        (
            "source: usb:0\nzones: {a: {polygon: [[0, 0], [1, 1]]}}",
            "2:22: a polygon needs at least 3 points [x, y], not 2",
        ),
        (
            "source: usb:0\nzones: {a: {polygon: [[0, 0], [640, 0], [1, 1]]}}",
            "2:22: point [640.0, 0.0] lies outside the picture; "
            "x and y are shares of its width and height, from 0 to 1",
        ),
        (
            "source: usb:0\nzones: {a: {polygon: [[0, 0], [0.5, 0.5], [1, 1]]}}",
            "2:22: the polygon has no area; its points lie on one line",
        ),
        (
            f"source: usb:0\nzones: {{fps: {{polygon: {TRIANGLE}}}}}",
            "2:8: zone 'fps': the name is taken by a fact of the whole picture; choose another",
        ),
        (
            f"source: usb:0\nzones: {{a.b: {{polygon: {TRIANGLE}}}}}",
            "2:8: zone 'a.b': a name has letters, digits, _ and - only",
        ),
        (
            "source: usb:0\nlines: {a: {points: [[0, 0], [1, 1], [0, 1]]}}",
            "2:21: a line has 2 points [x, y], not 3",
        ),
        (
            "source: usb:0\nlines: {a: {points: [[0, 0], [1, 2]]}}",
            "2:21: point [1.0, 2.0] lies outside the picture; x and y are shares of its width and height, from 0 to 1",
        ),
        (
            "source: usb:0\nlines: {a: {points: [[0.5, 0.5], [0.5, 0.5]]}}",
            "2:21: the line's two points are one; draw it from one side of the way to the other",
        ),
        (
            "source: usb:0\nlines: {a.b: {points: [[0, 0], [1, 1]]}}",
            "2:8: line 'a.b': a name has letters, digits, _ and - only",
        ),
        (
            "source: usb:0\nlines: {fire: {points: [[0, 0], [1, 1]]}}",
            "2:8: line 'fire': the name is taken by a fact of the whole picture; choose another",
        ),
        (
            f"source: usb:0\nzones: {{a: {{polygon: {TRIANGLE}}}}}\nlines: {{a: {{points: [[0, 0], [1, 1]]}}}}",
            "3:8: line 'a': a zone has that name, and their facts would, too; choose another",
        ),
    ],
)
def test_a_fault_says_what_would_be_right(text: str, fault: str, tmp_path: Path) -> None:
    assert faults_of(text, tmp_path) == [fault]


def test_an_unknown_demand_is_refused(tmp_path: Path) -> None:
    text = f"source: usb:0\nzones: {{a: {{polygon: {TRIANGLE}, demand: [hat]}}}}"
    (fault,) = faults_of(text, tmp_path)
    assert "'helmet', 'vest'" in fault


def test_what_the_model_cannot_judge_cannot_be_demanded(tmp_path: Path) -> None:
    text = f"source: usb:0\nzones: {{a: {{polygon: {TRIANGLE}, demand: [harness, vest]}}}}"
    assert faults_of(text, tmp_path) == [
        "1:1: model 'ppe' cannot judge harness; it offers helmet, vest. "
        "Leave it out of the zones' 'demand', or take a model that can"
    ]


@pytest.mark.parametrize("options", [{"fps": 0}, {"fps": 200}, {"timeout": 0.0}, {"helmet_threshold": 1.5}])
def test_numbers_have_limits(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="should be"):
        CameraOptions.model_validate({"source": "usb:0", **options})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("open rtsp://admin:p@ss/w@10.0.0.9/1 failed", "open rtsp://***@10.0.0.9/1 failed"),
        ("http://cam/cgi?user=bob&pwd=x1&ch=2", "http://cam/cgi?user=***&pwd=***&ch=2"),
        ("rtsp://10.0.0.9/1", "rtsp://10.0.0.9/1"),
    ],
)
def test_passwords_are_taken_out(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_options_do_not_show_the_password() -> None:
    assert "secret" not in repr(CameraOptions(source="rtsp://u:secret@cam/1"))


def test_the_sample_in_the_readme_is_right(tmp_path: Path) -> None:
    text = (BUNDLED / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    options, faults = Document(str(tmp_path / "site.yaml"), text).read(CameraOptions, ("gate",))
    assert not faults and options is not None and list(options.zones) == ["walkway", "desk"]
    assert list(options.lines) == ["door"] and options.lines["door"].counts == "left_to_right"


def test_one_folder_holds_all_that_is_kept_whether_the_site_or_the_command_names_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text('gateway: {id: g, site: s, state: own}\ncameras: {gate: {source: "usb:0"}}\n', encoding="utf-8")
    for named, folder in ((None, tmp_path / "own"), (tmp_path / "other", tmp_path / "other")):
        site = load_site(path, {}, CAMERA, state=named)
        camera = site.cameras["gate"].options
        assert isinstance(camera, CameraOptions)
        assert site.gateway.state == folder and camera.state == folder / "cameras"
