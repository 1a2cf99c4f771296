"""Events as lines in files: whole, in order, and never more than there is room for."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from agent.uplink.file_link import CURRENT, MB, Folder
from agent.uplink.options import FileOptions, UplinkOptions
from tests.fakes import until
from tests.uplink.conftest import Gateway, until_empty

pytestmark = pytest.mark.usefixtures("fast_backoff")


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return what stands in all files, the oldest first."""
    closed = sorted(folder.glob("events-*.jsonl"))
    return [json.loads(line) for path in (*closed, folder / CURRENT) for line in path.read_bytes().splitlines()]


def writing(folder: Path, **more: Any) -> Gateway:
    gateway = Gateway(folder, 1)
    gateway.options = UplinkOptions.model_validate({"file": {"folder": folder / "out", **more}})
    return gateway


async def test_events_are_written_in_order_and_a_torn_line_is_written_again(tmp_path: Path) -> None:
    gateway, out = writing(tmp_path), tmp_path / "out"
    with gateway.journal:
        gateway.record(*map(str, range(200)))
        async with gateway.running() as uplink:
            await until_empty(gateway)
            assert uplink.status.online and uplink.status.sent == 200
        with (out / CURRENT).open("ab") as file:
            file.write(b'{"half": "of an ev')  # the power failed here
        gateway.record("after")
        async with gateway.running():
            await until_empty(gateway)
    assert [line["seq"] for line in lines(out)] == list(range(1, 202))


def test_files_are_closed_when_they_are_large_and_deleted_when_they_are_old(tmp_path: Path) -> None:
    folder = Folder(FileOptions(folder=tmp_path, file_mb=1, total_mb=10, delete_after=3600.0))
    folder.open()
    for number in range(5):
        folder.append([b'{"n": %d, "pad": "%s"}' % (number, b"x" * (MB // 2))])
    closed = sorted(tmp_path.glob("events-*.jsonl"))
    assert [line["n"] for line in lines(tmp_path)] == [0, 1, 2, 3, 4] and len(closed) == 2
    os.utime(closed[0], (0, time.time() - 7200))
    folder.append([b'{"n": 5}'])
    folder.close()
    assert [line["n"] for line in lines(tmp_path)] == [2, 3, 4, 5]


async def test_a_full_folder_makes_events_wait_until_somebody_fetches_them(tmp_path: Path) -> None:
    gateway, out = writing(tmp_path, file_mb=1, total_mb=2), tmp_path / "out"
    out.mkdir()
    (out / "events-20260101T000000000000Z.jsonl").write_bytes(b"{}\n" * (2 * MB // 3))
    with gateway.journal:
        gateway.record("a")
        async with gateway.running() as uplink:
            await until(lambda: "its 2 MB are full; fetch the older files and delete them" in uplink.status.reason)
            assert not uplink.status.online and await gateway.pending() == 1
            (out / "events-20260101T000000000000Z.jsonl").unlink()
            await until_empty(gateway)
    assert [line["subject"] for line in lines(out)] == ["a"]


async def test_a_folder_that_cannot_be_is_told_in_words(tmp_path: Path) -> None:
    gateway = writing(tmp_path)
    (tmp_path / "out").write_text("a file stands where the folder should be")
    with gateway.journal:
        async with gateway.running() as uplink:
            await until(lambda: "exists" in uplink.status.reason or "Not a directory" in uplink.status.reason)


def test_what_a_disk_refused_is_not_taken_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(FileOptions(folder=tmp_path))
    folder.open()
    folder.append([b'{"n": 1}'])

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="Input/output error"):
            folder.append([b'{"n": 2}', b'{"n": 3}'])
    folder.append([b'{"n": 2}'])
    assert [line["n"] for line in lines(tmp_path)] == [1, 2]
