from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.document import Document
from agent.core.errors import ConfigError
from agent.core.options import Options


class Inner(Options):
    width: int
    name: str = ""


class Outer(Options):
    things: dict[str, Inner]
    items: tuple[Inner, ...] = ()


def faults_of(text: str) -> list[str]:
    try:
        return [str(fault) for fault in sorted(Document("x.yaml", text).read(Outer)[1])]
    except ConfigError as error:
        return [str(fault) for fault in error.faults]


def test_every_fault_at_once_with_its_place() -> None:
    text = "things:\n  one:\n    widht: 3\n  two:\n    width: wide\nitems:\n  - width: 1\n  - name: [1]\n"
    assert faults_of(text) == [
        "x.yaml:2:3: 'width' is missing; add it",
        "x.yaml:3:5: unknown key 'widht'; did you mean 'width'?",
        "x.yaml:5:12: should be a valid integer, unable to parse string as an integer (found 'wide')",
        "x.yaml:8:5: 'width' is missing; add it",
        "x.yaml:8:11: should be a valid string",
    ]


def test_a_key_given_twice_is_a_fault() -> None:
    assert faults_of("things: {}\nthings: {}\n") == [
        "x.yaml:2:1: 'things' is given twice (first in line 1); remove one"
    ]


@pytest.mark.parametrize("text", ["a: [1, 2", "a:\n\tb: 1", "{", "a: 'x"])
def test_broken_yaml_is_one_fault_with_a_place(text: str) -> None:
    (fault,) = faults_of(text)
    assert fault.startswith("x.yaml:") and "not valid YAML" in fault


def test_an_unreadable_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Document.load(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        Document.load(tmp_path / "binary.yaml")
