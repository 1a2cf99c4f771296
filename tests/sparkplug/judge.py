"""Every statement of Sparkplug 3.0 about an edge node, by its id (without ``tck-id-``): how it is judged, or why not.

The ids are those of github.com/eclipse-sparkplug/sparkplug at e45b610. A check is true only if it saw something to
judge. ``VERDICTS`` has all of ``ids.txt``; a test sees to it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.sparkplug.evidence import BIRTHS, DATA, OWN, VALUES, Evidence, Session, Told, every
from tests.sparkplug.tap import NO_REASON

IDS = (Path(__file__).parent / "ids.txt").read_text(encoding="utf-8").split()
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


@judges(
    """intro-group-id-string intro-group-id-chars intro-edge-node-id-string intro-edge-node-id-chars
    intro-device-id-string intro-device-id-chars topic-structure topic-structure-namespace-a
    topic-structure-namespace-valid-group-id topic-structure-namespace-valid-edge-node-id
    topic-structure-namespace-valid-device-id topic-structure-namespace-device-id-associated-message-types
    topic-structure-namespace-device-id-non-associated-message-types"""
)
def topics_are_well_formed(seen: Evidence) -> object:
    form = r"spBv1\.0/[^+#/]+/(N(BIRTH|DATA|DEATH)/[^+#/]+|D(BIRTH|DATA|DEATH)/[^+#/]+/[^+#/]+)"
    return every(seen.told(*OWN), lambda told: re.fullmatch(form, told.packet.topic))


@judges("topic-structure-namespace-unique-device-id")
def a_device_is_born_once(seen: Evidence) -> object:
    """Two devices of one name would show as births of different metrics."""
    births: dict[str, set[str]] = {}
    for told in seen.told("DBIRTH"):
        names = {metric["name"] for metric in told.raw_metrics}
        if births.setdefault(told.device, names) != names:
            return False
    return len(births) > 1


@judges("case-sensitivity-sparkplug-ids case-sensitivity-metric-names")
def nothing_differs_by_case_alone(seen: Evidence) -> object:
    devices = {told.device for told in seen.told("DBIRTH")}
    lists = [[metric["name"] for metric in told.raw_metrics] for told in seen.told(*BIRTHS)]
    return every([devices, *lists], lambda names: len({name.lower() for name in names}) == len(names) > 0)


@judges("principles-birth-certificates-order message-flow-edge-node-birth-publish-connect")
def a_birth_is_the_first_message(seen: Evidence) -> object:
    born = [session for session in seen.sessions if session.of(*BIRTHS)]
    return every(born, lambda session: session.told[0].verb == "NBIRTH")


@judges("principles-persistence-clean-session-311")
def clean_session(seen: Evidence) -> object:
    return every((s for s in seen.sessions if s.connect.version == 4), lambda s: s.connect.clean)


@judges("principles-persistence-clean-session-50")
def clean_start(seen: Evidence) -> object:
    of_5 = (s.connect for s in seen.sessions if s.connect.version == 5)
    return every(of_5, lambda connect: connect.clean and connect.session_expiry_s == 0)


for verb, is_device in (("NBIRTH", False), ("NDATA", False), ("NDEATH", False), ("DBIRTH", True), ("DDATA", True)):
    judges(f"topics-{verb.lower()}-topic")(topic_of(verb, is_device))
judges("topics-ddeath-topic")(topic_of("DDEATH", True))
judges("message-flow-edge-node-birth-publish-nbirth-topic")(topic_of("NBIRTH", False))
judges("message-flow-device-birth-publish-dbirth-topic message-flow-device-birth-publish-dbirth-match-edge-node-topic")(
    topic_of("DBIRTH", True)
)
for verb in ("nbirth", "dbirth", "ndata", "ddata"):
    judges(f"topics-{verb}-mqtt payloads-{verb}-qos payloads-{verb}-retain")(quiet(verb.upper()))
    judges(f"topics-{verb}-timestamp payloads-{verb}-timestamp")(stamped(verb.upper()))
judges("topics-ddeath-mqtt")(quiet("DDEATH"))
judges("payloads-ddeath-timestamp")(stamped("DDEATH"))
judges("message-flow-edge-node-birth-publish-nbirth-qos message-flow-edge-node-birth-publish-nbirth-retained")(
    quiet("NBIRTH")
)
judges("message-flow-device-birth-publish-dbirth-qos message-flow-device-birth-publish-dbirth-retained")(
    quiet("DBIRTH")
)


@judges("payloads-timestamp-in-UTC")
def every_message_is_stamped(seen: Evidence) -> object:
    return all(stamped(verb)(seen) for verb in ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"))


@judges("payloads-metric-timestamp-in-UTC payloads-name-birth-data-requirement")
def every_metric_is_stamped(seen: Evidence) -> object:
    told = seen.told(*BIRTHS, *DATA)
    return every(told, lambda each: all(abs(m["timestamp"] - seen_ms(each)) < SECONDS_MS for m in each.raw_metrics))


@judges(
    """topics-nbirth-seq-num payloads-nbirth-seq payloads-sequence-num-req-nbirth
    message-flow-edge-node-birth-publish-nbirth-payload-seq"""
)
def births_begin_at_zero(seen: Evidence) -> object:
    return every(seen.told("NBIRTH"), lambda told: told.raw["seq"] == 0)


for verb in ("ndata", "ddata", "ddeath"):
    judges(f"topics-{verb}-seq-num payloads-{verb}-seq payloads-{verb}-seq-inc")(counts(verb.upper()))
judges("topics-dbirth-seq payloads-dbirth-seq payloads-dbirth-seq-inc")(counts("DBIRTH"))
judges("message-flow-device-birth-publish-dbirth-payload-seq")(counts("DBIRTH"))
judges("payloads-ddeath-seq-number")(counts("DDEATH"))


@judges("payloads-sequence-num-incrementing payloads-sequence-num-always-included")
def numbers_go_on_and_come_round(seen: Evidence) -> object:
    has_come_round = any(told.raw["seq"] == 255 for told in seen.told(*DATA))
    return has_come_round and counts("DBIRTH", "NDATA", "DDATA", "DDEATH")(seen)


judges("topics-nbirth-metrics operational-behavior-data-publish-nbirth-values")(named("NBIRTH"))
judges("topics-dbirth-metrics operational-behavior-data-publish-dbirth-values")(named("DBIRTH"))
judges("topics-nbirth-metric-reqs operational-behavior-data-publish-nbirth")(announces_all("NBIRTH", "NDATA"))
judges("topics-dbirth-metric-reqs operational-behavior-data-publish-dbirth")(announces_all("DBIRTH", "DDATA"))
judges("topics-ndata-payload operational-behavior-data-publish-nbirth-change")(only_changes("NDATA", "NBIRTH"))
judges("topics-ddata-payload operational-behavior-data-publish-dbirth-change")(only_changes("DDATA", "DBIRTH"))
judges("operational-behavior-data-publish-nbirth-order")(in_order("NBIRTH", "NDATA"))
judges("operational-behavior-data-publish-dbirth-order")(in_order("DBIRTH", "DDATA"))


@judges("principles-rbe-recommended")
def nothing_is_told_without_need(seen: Evidence) -> object:
    return only_changes("DDATA", "DBIRTH")(seen) and only_changes("NDATA", "NBIRTH")(seen)


@judges(
    """topics-nbirth-bdseq-included topics-nbirth-bdseq-matching payloads-nbirth-bdseq payloads-nbirth-bdseq-repeat
    message-flow-edge-node-birth-publish-nbirth-payload-bdSeq payloads-ndeath-bdseq"""
)
def a_birth_has_the_number_of_its_will(seen: Evidence) -> object:
    pairs = [(session.bd_seq, told) for session in seen.sessions for told in session.of("NBIRTH")]
    return every(pairs, lambda pair: bd_seq_of(pair[1]) == pair[0])


@judges("topics-nbirth-bdseq-increment message-flow-edge-node-birth-publish-will-message-payload-bdSeq")
def wills_count_up_from_zero(seen: Evidence) -> object:
    lists = [[session.bd_seq for session in run.sessions] for run in seen.runs]
    typed = every(seen.sessions, lambda session: bd_seq_of(session.will) is not None)
    return typed and any(len(each) > 1 for each in lists) and all(each == list(range(len(each))) for each in lists)


@judges(
    """topics-nbirth-rebirth-metric payloads-nbirth-rebirth-req operational-behavior-data-commands-rebirth-name
    operational-behavior-data-commands-rebirth-datatype operational-behavior-data-commands-rebirth-value"""
)
def a_birth_offers_rebirth(seen: Evidence) -> object:
    return every(seen.told("NBIRTH"), has_rebirth)


@judges("operational-behavior-data-commands-rebirth-name-aliases")
def rebirth_has_no_alias(seen: Evidence) -> object:
    return every(
        seen.told("NBIRTH"), lambda told: has_rebirth(told) and "alias" not in told.metric("Node Control/Rebirth")
    )


@judges("topics-ndeath-payload")
def a_death_says_its_number_alone(seen: Evidence) -> object:
    deaths = [*(session.will for session in seen.sessions), *seen.told("NDEATH")]
    return every(deaths, lambda told: [m["name"] for m in told.raw_metrics] == ["bdSeq"])


@judges("topics-ndeath-seq payloads-ndeath-seq")
def a_death_of_the_node_has_no_number(seen: Evidence) -> object:
    return every([*(s.will for s in seen.sessions), *seen.told("NDEATH")], lambda told: "seq" not in told.raw)


@judges(
    """payloads-ndeath-will-message message-flow-edge-node-birth-publish-will-message
    message-flow-edge-node-birth-publish-will-message-topic message-flow-edge-node-birth-publish-will-message-payload"""
)
def the_will_is_a_death(seen: Evidence) -> object:
    return every(
        seen.sessions, lambda s: s.connect.has_will and s.connect.topic == "spBv1.0/works/NDEATH/hall-3" and s.will.raw
    )


@judges("payloads-ndeath-will-message-qos message-flow-edge-node-birth-publish-will-message-qos")
def the_will_has_qos_1(seen: Evidence) -> object:
    return every(seen.sessions, lambda s: s.connect.qos == 1)


@judges("payloads-ndeath-will-message-retain message-flow-edge-node-birth-publish-will-message-will-retained")
def the_will_is_not_retained(seen: Evidence) -> object:
    return every(seen.sessions, lambda s: not s.connect.retain)


@judges(
    """payloads-ndeath-will-message-publisher operational-behavior-edge-node-intentional-disconnect-ndeath
    operational-behavior-edge-node-intentional-disconnect-packet"""
)
def who_goes_says_so(seen: Evidence) -> object:
    gone = [session for session in seen.sessions if session.disconnect is not None]
    return every(gone, lambda s: s.told[-1].verb == "NDEATH" and bd_seq_of(s.told[-1]) == s.bd_seq)


@judges("payloads-ndeath-will-message-publisher-disconnect-mqtt311")
def who_goes_in_311_says_so_before(seen: Evidence) -> object:
    gone = [s for s in seen.sessions if s.disconnect is not None and s.connect.version == 4]
    return every(gone, lambda s: s.told[-1].verb == "NDEATH" and s.disconnect.reason == NO_REASON)


@judges("payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def who_goes_in_5_leaves_the_will(seen: Evidence) -> object:
    gone = [s for s in seen.sessions if s.disconnect is not None and s.connect.version == 5]
    return every(gone, lambda s: s.disconnect.reason == 0x04)


@judges("message-flow-edge-node-birth-publish-nbirth-payload message-flow-device-birth-publish-dbirth-payload")
def births_are_read_by_another_decoder(seen: Evidence) -> object:
    types = {10: "Double", 4: "Int64", 11: "Boolean", 12: "String"}
    return every(
        seen.told(*BIRTHS),
        lambda told: [m["type"] for m in told.metrics] == [types[m["datatype"]] for m in told.raw_metrics],
    )


@judges("message-flow-edge-node-ncmd-subscribe")
def commands_for_the_node_are_subscribed(seen: Evidence) -> object:
    return every(born(seen), lambda s: ("spBv1.0/works/NCMD/hall-3", 1) in before_birth(s))


@judges("message-flow-device-dcmd-subscribe")
def commands_for_devices_are_subscribed(seen: Evidence) -> object:
    return every(born(seen), lambda s: ("spBv1.0/works/DCMD/hall-3/pump", 1) in before_birth(s))


def born(seen: Evidence) -> list[Session]:
    return [session for session in seen.sessions if session.of("NBIRTH")]


def before_birth(session: Session) -> list[tuple[str, int]]:
    birth_s = session.of("NBIRTH")[0].packet.at_s
    return [topic for packet in session.subscribed if packet.at_s < birth_s for topic in packet.topics]


@judges("message-flow-device-birth-publish-nbirth-wait payloads-dbirth-order payloads-ndata-order payloads-ddata-order")
def births_come_first(seen: Evidence) -> object:
    """After each birth of the node those of the devices that are there, then data; of a device only after its birth."""
    fine = []
    for session in born(seen):
        alive: set[str] = set()
        has_data = True
        for told in session.told:
            if told.verb == "NBIRTH":
                alive, has_data = {""}, False
            elif told.verb == "DBIRTH":
                fine.append("" in alive)
                alive.add(told.device)
            elif told.verb == "DDEATH":
                alive.discard(told.device)
            elif told.verb in DATA:
                fine.append(told.device in alive and (has_data or "pump" in alive))
                has_data = True
    return every(fine, bool)


@judges("operational-behavior-device-ddeath")
def a_lost_device_dies(seen: Evidence) -> object:
    """And it is born again once it is back."""
    told = seen.run("ordinary").after("fan lost")
    of_fan = [each.verb for each in told if each.device == "fan" and each.verb in ("DDEATH", "DBIRTH")]
    return of_fan[:2] == ["DDEATH", "DBIRTH"]


@judges(
    """operational-behavior-data-commands-rebirth-action-1 operational-behavior-data-commands-rebirth-action-2
    operational-behavior-data-commands-rebirth-action-3"""
)
def a_host_can_ask_for_births(seen: Evidence) -> object:
    """Changes wait all the time; the births come within a second, and nothing but births before they are complete."""
    run = seen.run("ordinary")
    told = run.after("rebirth asked")
    first = next(index for index, each in enumerate(told) if each.verb == "NBIRTH")
    in_time = told[first].packet.at_s - run.marks["rebirth asked"] < 2.0
    verbs = [each.verb for each in told[first : first + 3]]
    same = bd_seq_of(told[first]) == next(s.bd_seq for s in run.sessions if told[first] in s.told)
    return in_time and same and verbs == ["NBIRTH", "DBIRTH", "DBIRTH"]


@judges("payloads-alias-uniqueness")
def no_alias_is_given_twice(seen: Evidence) -> object:
    fine = []
    for session in born(seen):
        owners: dict[int, tuple[str, str]] = {}
        for told in session.of(*BIRTHS):
            for metric in (metric for metric in told.raw_metrics if "alias" in metric):
                owner = (told.device, metric["name"])
                fine.append(owners.setdefault(metric["alias"], owner) == owner)
    return every(fine, bool)


@judges("payloads-alias-birth-requirement payloads-name-requirement")
def births_have_names_and_aliases(seen: Evidence) -> object:
    own = ("bdSeq", "Node Control/Rebirth")
    metrics = [metric for told in seen.told(*BIRTHS) for metric in told.raw_metrics]
    return every(metrics, lambda metric: metric["name"] in own or "alias" in metric)


@judges("payloads-alias-data-cmd-requirement")
def data_has_aliases_alone(seen: Evidence) -> object:
    metrics = [metric for told in seen.told(*DATA) for metric in told.raw_metrics]
    return every(metrics, lambda metric: "alias" in metric and "name" not in metric)


@judges("payloads-metric-datatype-value-type payloads-metric-datatype-value payloads-metric-datatype-req")
def births_have_types(seen: Evidence) -> object:
    metrics = [metric for told in seen.told(*BIRTHS) for metric in told.raw_metrics]
    return every(metrics, lambda metric: metric["datatype"] in range(1, 35))


@judges("payloads-metric-datatype-not-req")
def data_has_no_types(seen: Evidence) -> object:
    return every((m for told in seen.told(*DATA) for m in told.raw_metrics), lambda metric: "datatype" not in metric)


def property_sets(seen: Evidence) -> list[dict[str, list[Any]]]:
    metrics = (metric for told in seen.told(*BIRTHS, *DATA) for metric in told.raw_metrics)
    return [metric["properties"] for metric in metrics if "properties" in metric]


@judges("payloads-propertyset-keys-array-size payloads-propertyset-values-array-size")
def properties_have_a_value_each(seen: Evidence) -> object:
    return every(property_sets(seen), lambda each: len(each["keys"]) == len(each["values"]) > 0)


@judges(
    "payloads-metric-propertyvalue-type-type payloads-metric-propertyvalue-type-value "
    "payloads-metric-propertyvalue-type-req"
)
def properties_have_types(seen: Evidence) -> object:
    return every((v for each in property_sets(seen) for v in each["values"]), lambda value: value["type"] in (3, 12))


def qualities(seen: Evidence) -> list[dict[str, int]]:
    dicts = [dict(zip(each["keys"], each["values"], strict=True)) for each in property_sets(seen)]
    return [each["Quality"] for each in dicts if "Quality" in each]


@judges("payloads-propertyset-quality-value-type")
def quality_is_an_int32(seen: Evidence) -> object:
    return every(qualities(seen), lambda value: value["type"] == 3)


@judges("payloads-propertyset-quality-value-value")
def quality_is_one_of_three(seen: Evidence) -> object:
    """And not always the same: bad, good and stale were all seen."""
    return {value["intValue"] for value in qualities(seen)} == {0, 192, 500}


@judges(
    """message-flow-edge-node-birth-publish-phid-wait message-flow-edge-node-birth-publish-phid-wait-online
    message-flow-edge-node-birth-publish-phid-wait-id operational-behavior-edge-node-birth-sequence-wait
    message-flow-edge-node-birth-publish-phid-wait-timestamp
    operational-behavior-primary-application-state-with-multiple-servers-state-subs"""
)
def births_wait_for_the_primary_host(seen: Evidence) -> object:
    """Nothing was told before the host said online: another host, an offline one and an older word did not count."""
    runs = [seen.run("two brokers"), seen.run("one broker")]
    topics = [[topic for packet in s.subscribed for topic in packet.topics] for run in runs for s in run.sessions]
    births = [next(told for s in run.sessions for told in s.of("NBIRTH")).packet.at_s for run in runs]
    waited = all(birth_s > run.marks["host online"] for birth_s, run in zip(births, runs, strict=True))
    return waited and every(topics, lambda each: ("spBv1.0/STATE/scada", 1) in each)


@judges("operational-behavior-edge-node-termination-host-offline-timestamp")
def an_older_word_is_not_believed(seen: Evidence) -> object:
    run = seen.run("two brokers")
    seconds = run.marks["host offline"] - run.marks["older offline"]
    return seconds > 0.5 and not any(told.verb == "NDEATH" for told in run.within("older offline", seconds))


@judges(
    """message-flow-edge-node-birth-publish-phid-offline operational-behavior-edge-node-termination-host-offline
    operational-behavior-primary-application-state-with-multiple-servers-walk
    operational-behavior-edge-node-termination-host-offline-reconnect"""
)
def the_node_leaves_when_the_host_does(seen: Evidence) -> object:
    """At once, with a death and a DISCONNECT; and its next session is with the other broker."""
    run = seen.run("two brokers")
    left_s = run.marks["host offline"]
    session = next(s for s in run.sessions if s.connection.begun_s < left_s and s.of("NBIRTH"))
    after = next(s for s in run.sessions if s.connection.begun_s > left_s)
    death = session.told[-1]
    fine = death.verb == "NDEATH" and death.packet.at_s - left_s < 2.0 and session.disconnect is not None
    return fine and after.connection.port != session.connection.port


@judges("operational-behavior-primary-application-state-with-multiple-servers-single-server")
def one_broker_at_a_time(seen: Evidence) -> object:
    pairs = [pair for run in seen.runs for pair in pairwise(run.sessions)]
    return every(pairs, lambda pair: (pair[0].connection.ended_s or 0.0) <= pair[1].connection.begun_s)


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
