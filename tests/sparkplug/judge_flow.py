"""Topics, sessions, births, deaths, numbers and commands: what is sent, when, and in which order."""

from __future__ import annotations

import re

from tests.sparkplug.evidence import BIRTHS, DATA, OWN, Evidence, Session, every
from tests.sparkplug.judging import (
    SECONDS_MS,
    announces_all,
    bd_seq_of,
    born,
    counts,
    has_rebirth,
    in_order,
    judges,
    named,
    only_changes,
    quiet,
    seen_ms,
    stamped,
    topic_of,
)
from tests.sparkplug.tap import NO_REASON


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
