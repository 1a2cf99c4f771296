from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import structlog

from agent import logs


def test_a_log_that_nobody_reads_holds_up_nobody() -> None:
    """Its pipe takes 64 kB; everything behind that waits, then is dropped and counted."""
    reader, writer = os.pipe()
    logs.configure()
    try:
        with logs.detached(writer):
            log, began_s = structlog.get_logger("agent.test"), time.monotonic()
            for number in range(5_000):
                log.info("line", number=number, text="x" * 100)
            assert time.monotonic() - began_s < 5.0
            taken = os.read(reader, 1 << 16)
            while b"number=999 " not in taken:
                taken += os.read(reader, 1 << 16)
            time.sleep(0.2)
            log.info("back")
        os.close(writer)
        while octets := os.read(reader, 1 << 16):
            taken += octets
    finally:
        os.close(reader)
    lines = taken.decode().splitlines()
    assert "back" in lines[-1] and "warning logs: lines were dropped" in lines[-2]
    written = [line for line in lines if "test: line " in line]
    dropped = [int(line.rpartition("=")[2]) for line in lines if "lines were dropped" in line]
    assert len(written) + sum(dropped) == 5_000
    assert [f"number={number} " in line for number, line in enumerate(written[:100])] == [True] * 100


def test_a_log_that_stays_stuck_does_not_hold_up_the_end() -> None:
    reader, writer = os.pipe()
    logs.configure()
    began_s = time.monotonic()
    with logs.detached(writer):
        for _ in range(100):
            logging.getLogger("test").warning("x" * 4000)
    assert time.monotonic() - began_s < 10.0
    os.close(reader)  # and a thread that still writes ends


def test_the_log_is_complete_and_in_order_at_the_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as file:
        logs.configure()
        with logs.detached(file.fileno()):
            for number in range(500):
                structlog.get_logger("agent.test").info("line", number=number)
        lines = (tmp_path / "log").read_text().splitlines()
    assert [line.rpartition("=")[2] for line in lines] == [str(number) for number in range(500)]
