"""Logs for journald and for people: one line an event, ``key=value``, no stack trace where a reason will do."""

from __future__ import annotations

import logging
import os
import sys

import structlog

_SYSLOG = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_NOISY = ("asyncua", "pymodbus", "aiohttp.access", "paho")


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
