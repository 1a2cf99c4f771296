"""Every statement of Sparkplug 3.0 about an edge node, by its id (without ``tck-id-``): how it is judged, or why not.

The ids are those of github.com/eclipse-sparkplug/sparkplug at e45b610. A check is true only if it saw something to
judge. ``VERDICTS`` has all of ``ids.txt``; a test sees to it. The checks are in the modules ``judge_…``.
"""

from __future__ import annotations

from pathlib import Path

from tests.sparkplug import judge_flow, judge_hosts, judge_payloads
from tests.sparkplug.evidence import Evidence
from tests.sparkplug.judging import VERDICTS, excused

__all__ = ["IDS", "VERDICTS", "judge_flow", "judge_hosts", "judge_payloads", "table"]
IDS = (Path(__file__).parent / "ids.txt").read_text(encoding="utf-8").split()

excused(
    "the site sees to it: one node cannot tell which names others have",
    """intro-edge-node-id-uniqueness topic-structure-namespace-unique-edge-node-descriptor
    payloads-nbirth-edge-node-descriptor""",
)
excused("a permission", "topic-structure-namespace-duplicate-device-id-across-edge-node")
excused(
    "what a host sends",
    """topics-ncmd-topic topics-ncmd-mqtt topics-ncmd-timestamp topics-ncmd-payload topics-dcmd-topic topics-dcmd-mqtt
    topics-dcmd-timestamp topics-dcmd-payload payloads-name-cmd-requirement payloads-ncmd-timestamp payloads-ncmd-seq
    payloads-ncmd-qos payloads-ncmd-retain payloads-dcmd-timestamp payloads-dcmd-seq payloads-dcmd-qos
    payloads-dcmd-retain operational-behavior-data-commands-ncmd-rebirth-verb
    operational-behavior-data-commands-ncmd-rebirth-name operational-behavior-data-commands-ncmd-rebirth-value
    operational-behavior-data-commands-ncmd-verb operational-behavior-data-commands-ncmd-metric-name
    operational-behavior-data-commands-ncmd-metric-value operational-behavior-data-commands-dcmd-verb
    operational-behavior-data-commands-dcmd-metric-name operational-behavior-data-commands-dcmd-metric-value
    operational-behavior-primary-application-state-with-multiple-servers-state""",
)
excused(
    "no templates are published",
    " ".join(id_ for id_ in IDS if id_.startswith("payloads-template-") or id_ == "topics-nbirth-templates"),
)
excused("no data sets are published", " ".join(id_ for id_ in IDS if id_.startswith("payloads-dataset-")))


def table(seen: Evidence) -> str:
    """Return what docs/sparkplug-conformance.md says."""
    rows = [f"| `{id_}` | {_verdict(id_, seen)} |" for id_ in IDS]
    count = {word: sum(f"| {word}" in row for row in rows) for word in ("pass", "FAIL", "not applicable")}
    total = ", ".join(f"{number} {word.lower()}" for word, number in count.items())
    return "\n".join((*HEAD, f"{len(IDS)} statements: {total}.", "", "| tck-id | |", "|---|---|", *rows, ""))


HEAD = (
    "# Sparkplug 3.0: every statement about an edge node",
    "",
    "Written by `tests/sparkplug/test_conformance.py`, which fails while this page is not what it finds; "
    "`tests/sparkplug/judge.py` says how each is judged. The packets are those of a whole agent at a real mosquitto, "
    "with MQTT 5 and 3.1.1; payloads are read by npm `sparkplug-payload`. This is no certificate: "
    "the official TCK has not been run.",
    "",
)


def _verdict(id_: str, seen: Evidence) -> str:
    verdict = VERDICTS.get(id_)
    if isinstance(verdict, str):
        return f"not applicable: {verdict}"
    return "pass" if verdict is not None and verdict(seen) else "FAIL"
