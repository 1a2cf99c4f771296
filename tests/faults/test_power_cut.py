"""The power may go at any moment, and a disk may keep any part of what it was not asked to flush."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from tests.faults.disk import Disk, Op, Open, Rename, Sync, Truncate, Unlink, Write, cuts
from tests.faults.power_cut import cut_power, record_work

STATES = 100
"""``make campaign`` tries a thousand times as many."""


@pytest.mark.slow
@pytest.mark.server
def test_a_power_cut_loses_nothing_that_was_acknowledged_and_hinders_no_start() -> None:
    assert cut_power(record_work(100), STATES, seed=1) == {"starts": STATES}


def states(ops: Sequence[Op]) -> list[dict[str, bytes]]:
    disk = Disk()
    for op in ops:
        disk.play(op)
    return [disk.files_after_a_cut(Random(seed)) for seed in range(200)]


BORN = (Open("a", creates=True, cut=False), Write("a", 0, b"x" * 1024), Sync("a"))


def test_what_was_flushed_survives_whatever_comes_after() -> None:
    later = (Write("a", 1024, b"y"), Open("b", creates=True, cut=False), Write("b", 0, b"z"))
    assert all(files["a"][:1024] == b"x" * 1024 for files in states((*BORN, *later)))


def test_what_was_not_flushed_may_be_there_or_not_or_torn() -> None:
    found = {files["a"] for files in states((*BORN, Write("a", 0, b"y" * 1024)))}
    assert found == {first * 512 + second * 512 for first in (b"x", b"y") for second in (b"x", b"y")}


def test_a_later_write_may_survive_without_an_earlier_one() -> None:
    found = {files["a"] for files in states((*BORN, Write("a", 0, b"1"), Write("a", 600, b"2")))}
    assert {(data[:1], data[600:601]) for data in found} >= {(b"x", b"2"), (b"1", b"x")}


def test_a_name_may_be_there_before_its_content_but_no_later_name_before_it() -> None:
    new = (Open("b", creates=True, cut=False), Open("c", creates=True, cut=False))
    assert {tuple(sorted(files)) for files in states((*BORN, *new))} == {("a",), ("a", "b"), ("a", "b", "c")}


def test_a_move_without_a_flush_may_leave_an_empty_file() -> None:
    moved = (Open("b", creates=True, cut=False), Write("b", 0, b"new"), Rename("b", "a"))
    found = {files["a"] for files in states((*BORN, *moved))}
    assert found >= {b"x" * 1024, b"", b"new"}


def test_deletion_and_cutting_off_count_once_they_are_flushed() -> None:
    assert {files.get("a") for files in states((*BORN, Truncate("a", 1), Sync("a")))} == {b"x"}
    assert {len(files) for files in states((*BORN, Unlink("a")))} == {0, 1}
    assert {len(files) for files in states((*BORN, Unlink("a"), Sync(".")))} == {0}


def test_cuts_come_at_every_place() -> None:
    assert {cut for cut, _ in cuts(BORN, 100, Random(0))} == {0, 1, 2, 3}
