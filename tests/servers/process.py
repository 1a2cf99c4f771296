"""A foreign server as a child process."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent


def free_port() -> int:
    """Return a TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """Started with ``start``; ready once it prints a line with ``ready`` or, without one, once its port accepts."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        ready: str | None = "ready",
        env: Mapping[str, str] | None = None,
        forks: bool = False,
    ) -> None:
        self.command, self.port, self._ready, self._forks = list(command), port, ready, forks
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self._env = {**inherited, **(env or {})}
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self._reader: threading.Thread | None = None

    def start(self, limit_s: float = 120.0) -> None:
        """Start and wait until it is ready; fail with its output when it ends, or hangs for ``limit_s``."""
        self.output.clear()
        if shutil.which(self.command[0]) is None:
            raise AssertionError(f"{self.command[0]} is missing: run tools/test-servers as root, or make test")
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,  # some end with their input
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._env,
            start_new_session=self._forks,
        )
        self._reader = threading.Thread(target=self._collect, args=(self.process,), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + limit_s
        while not self._is_ready():
            dead = self.process.poll() is not None
            if dead or time.monotonic() > deadline:
                raise AssertionError(f"{self.command} did not become ready:\n{''.join(self.output)}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9, and wait for it."""
        if self.process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGKILL)
            self.process.wait()
            if self.process.stdin is not None:
                self.process.stdin.close()
            if self._reader is not None:
                self._reader.join(2.0)
            self.process = None

    def hang(self) -> None:
        """Freeze it: its sockets stay open, nobody answers."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        """End ``hang``: it goes on with whatever has come in since."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Signal the process; one that forks for each connection has a group of its own, which is signalled whole."""
        assert self.process is not None
        if self._forks:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def _is_ready(self) -> bool:
        if self._ready is not None:
            return any(self._ready in line for line in self.output)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
