"""Who waits for a primary host, and which of several brokers is used."""

from __future__ import annotations

from itertools import pairwise

from tests.sparkplug.evidence import Evidence, every
from tests.sparkplug.judging import judges


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
