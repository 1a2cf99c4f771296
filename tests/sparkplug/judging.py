"""What the judges of Sparkplug's statements share: the verdicts, by id, and checks that serve for several verbs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise

from tests.sparkplug.evidence import VALUES, Evidence, Session, Told, every

Check = Callable[[Evidence], object]
VERDICTS: dict[str, Check | str] = {}
"""By id: the check, or in words why it does not apply."""
SECONDS_MS = 86_400_000


def judges(ids: str) -> Callable[[Check], Check]:
    def keep(check: Check) -> Check:
        VERDICTS.update(dict.fromkeys(ids.split(), check))
        return check

    return keep


def excused(reason: str, ids: str) -> None:
    VERDICTS.update(dict.fromkeys(ids.split(), reason))


def quiet(verb: str) -> Check:
    """QoS 0, not retained."""
    return lambda seen: every(seen.told(verb), lambda told: told.packet.qos == 0 and not told.packet.retain)


def topic_of(verb: str, device: bool) -> Check:
    form = rf"spBv1\.0/works/{verb}/hall-3" + ("/[^/+#]+" if device else "")
    return lambda seen: every(seen.told(verb), lambda told: re.fullmatch(form, told.packet.topic))


def stamped(verb: str) -> Check:
    """When it was sent, in UTC: within a minute of when it was seen."""
    return lambda seen: every(seen.told(verb), lambda told: abs(told.raw["timestamp"] - seen_ms(told)) < 60_000)


def seen_ms(told: Told) -> float:
    return (time.time() - time.monotonic() + told.packet.at_s) * 1000


def steps(session: Session) -> list[Told]:
    """Everything that carries a number, in order."""
    return [told for told in session.told if told.verb != "NDEATH"]


def counts(*verbs: str) -> Check:
    """Each of these is numbered one higher than what came before it in its session; after 255 comes 0."""

    def check(seen: Evidence) -> object:
        pairs = [pair for session in seen.sessions for pair in pairwise(steps(session)) if pair[1].verb in verbs]
        return every(pairs, lambda pair: pair[1].raw["seq"] == (pair[0].raw["seq"] + 1) % 256)

    return check


def values(*verbs: str) -> Check:
    """Every metric has one value, or says that it has none and has none."""

    def whole(metric: dict[str, object]) -> bool:
        return (metric.get("isNull") is True) + sum(name in metric for name in VALUES) == 1

    return lambda seen: every(seen.told(*verbs), lambda told: all(map(whole, told.raw_metrics)))


def named(verb: str) -> Check:
    def check(seen: Evidence) -> object:
        whole = values(verb)(seen)
        return whole and every(seen.told(verb), lambda told: all(m["name"] and m["datatype"] for m in told.raw_metrics))

    return check


def announces_all(birth: str, data: str) -> Check:
    """What is told later was in the birth before it, and known by its alias there."""

    def check(seen: Evidence) -> object:
        found: list[bool] = []
        for session in seen.sessions:
            aliases: dict[str, set[int]] = {}
            for told in session.told:
                if told.verb == birth:
                    aliases[told.device] = {m["alias"] for m in told.raw_metrics if "alias" in m}
                elif told.verb == data:
                    found.extend(m["alias"] in aliases.get(told.device, ()) for m in told.raw_metrics)
        return every(found, bool)

    return check


def only_changes(verb: str, birth: str) -> Check:
    """Live values are told when they change: none says again what was said last, unless a host had asked."""

    def check(seen: Evidence) -> object:
        found = []
        for session in (session for run in seen.runs if run.name == "quiet" for session in run.sessions):
            last: dict[int, object] = {}
            for told in session.of(birth, verb):
                for metric in (metric for metric in told.metrics if "alias" in metric):
                    if told.verb == verb and not metric.get("isHistorical"):
                        found.append(last[metric["alias"]] != said(metric))
                    last[metric["alias"]] = said(metric)
        return every(found, bool)

    return check


def said(metric: dict[str, object]) -> object:
    return metric["value"], metric.get("properties")


def in_order(*verbs: str) -> Check:
    def check(seen: Evidence) -> object:
        lists = [[m["timestamp"] for m in told.raw_metrics if not m.get("isHistorical")] for told in seen.told(*verbs)]
        return every(lists, lambda stamps: stamps == sorted(stamps))

    return check


def has_rebirth(told: Told) -> bool:
    metric = told.metric("Node Control/Rebirth")
    return metric is not None and metric["datatype"] == 11 and metric["booleanValue"] is False


def bd_seq_of(told: Told) -> int | None:
    metric = told.metric("bdSeq")
    return metric["longValue"] if metric is not None and metric["datatype"] == 4 else None


def born(seen: Evidence) -> list[Session]:
    return [session for session in seen.sessions if session.of("NBIRTH")]
