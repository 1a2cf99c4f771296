"""Logs for journald and for people: one line an event, ``key=value``, no stack trace where a reason will do."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger(__name__)

_SYSLOG = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_NOISY = ("asyncua", "pymodbus", "aiohttp.access", "paho")
_MOST_WAITING = 1000
"""Lines that whoever reads them has not taken; more are dropped, and counted."""
_FAREWELL_S = 2.0


def configure(level: int = logging.INFO) -> None:
    """Send every log line to stderr; under systemd with its syslog priority, else with the time of day."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.format_exc_info,
        _prefix if under_systemd else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="time"),
        _line,
    ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def detached(descriptor: int = 2) -> Iterator[None]:
    """Let a thread of its own write the log: a journald that hangs must hold up no alarm.

    At the end what waits is written, for two seconds at most.
    """
    root = logging.getLogger()
    before, waiting = root.handlers[:], _Waiting()
    writer = threading.Thread(target=waiting.write, args=(descriptor,), name="log", daemon=True)
    writer.start()
    root.handlers = [waiting]
    try:
        yield
    finally:
        root.handlers = before
        waiting.end()
        writer.join(_FAREWELL_S)


class _Waiting(logging.Handler):
    """Keeps lines until they are written, from any thread; never waits."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() >= _MOST_WAITING:
            self._dropped += 1
            return
        dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("lines were dropped: nobody took the log", lines=dropped)  # comes here, too
        self._lines.put(self.format(record))

    def end(self) -> None:
        """Let ``write`` return once everything is written."""
        self._lines.put(None)

    def write(self, descriptor: int) -> None:
        """Write to a file descriptor, not to Python's stream: whose lock would hold up the end of the process."""
        while (line := self._lines.get()) is not None:
            octets = f"{line}\n".encode(errors="backslashreplace")
            try:
                while octets:
                    octets = octets[os.write(descriptor, octets) :]
            except OSError:  # whoever read it is gone: there is nobody to tell
                continue


def _prefix(_logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    event["time"] = f"<{_SYSLOG.get(method, 6)}>"
    return event


def _line(_logger: object, _method: str, event: structlog.types.EventDict) -> str:
    trace = event.pop("exception", None)
    when, level, what = event.pop("time", ""), event.pop("level", ""), event.pop("event", "")
    where = str(event.pop("logger", "")).removeprefix("agent.")
    pairs = "".join(f" {key}={_quoted(value)}" for key, value in event.items())
    line = f"{when}{'' if str(when).startswith('<') else ' '}{level:<7} {where}: {what}{pairs}"
    return f"{line}\n{trace}" if trace else line


def _quoted(value: object) -> str:
    text = str(value)
    return repr(text) if not text or " " in text or "\n" in text else text
