"""A plant's gateway calls nobody: the worker opens no connection and leaves no telemetry file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.models.cameras import YARD

STRACE = shutil.which("strace")


@pytest.mark.server
def test_the_worker_calls_nobody_and_writes_no_telemetry(tmp_path: Path) -> None:
    assert STRACE, "strace is missing: run tools/test-servers"
    trace = tmp_path / "trace"
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    tracing = [STRACE, "-f", "-qq", "-o", str(trace), "-e", "trace=connect,sendto,openat"]
    process = subprocess.Popen(
        [*tracing, sys.executable, "-c", LAUNCH, str(YARD)],
        stdout=subprocess.PIPE,
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")},
    )
    limit = threading.Timer(60, process.kill)
    limit.start()
    assert process.stdout is not None
    reports = [json.loads(line) for line in process.stdout]
    process.wait()
    limit.cancel()
    assert len(reports) == 10 and reports[-1]["report"]["whole"] is not None
    text = trace.read_text()
    assert "wearing.onnx" in text, "the trace did not see the worker"
    assert "Microsoft" not in text
    assert not re.search(r"(connect|sendto)\(.*AF_INET", text)
    assert list(home.iterdir()) == []


LAUNCH = """
import json, os, subprocess, sys
worker = subprocess.Popen([sys.executable, "-m", "models.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
order = {"parent": os.getpid(), "camera": {"source": sys.argv[1]}}
worker.stdin.write(json.dumps(order).encode() + b"\\n")
worker.stdin.flush()
for _ in range(10):
    line = worker.stdout.readline()
    worker.stdout.read(json.loads(line)["blob"])
    sys.stdout.write(line.decode())
worker.kill()
worker.wait()
"""
