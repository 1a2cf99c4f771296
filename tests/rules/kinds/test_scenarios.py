"""Kinds in whole stories, as a rule file and its test tell them: the engine, its delays and sweeps around them."""

from __future__ import annotations

from pathlib import Path

from rules.scenario import run_file

RULES = """
rules:
  - {id: helmet, kind: share, inputs: {bare: cam.bare}, when: bare > 0, priority: P3, name: Helmet}
  - {id: valve, kind: discrepancy, command: valve.command, feedback: valve.seen, travel: 8s, priority: P1, name: Valve,
     agree: {true: OPEN, false: CLOSED}}
  - {id: badge, kind: stale, inputs: [badge.beat], after: 5min, renew: true, priority: P2, name: Badge}
  - {id: trips, kind: count, inputs: {trip: pump.trip}, when: trip, count: 3, window: 1h, quiet: 10min, off_delay: 5s,
     priority: P3, name: Trips}
  - {id: gas, kind: voting, inputs: [gas.a, gas.b, gas.c], needed: 2, above: 20, off_delay: 2s, priority: P1, name: Gas}
  - {id: heats, kind: rate, input: kiln.t, at: 5, window: 1min, direction: rising, priority: P2, name: Heats}
  - {id: full, kind: forecast, input: tank.level, limit: 90, within: 30min, window: 20min, priority: P3, name: Full}
  - {id: mode, kind: discrete, input: fan.mode, normal_at: [AUTO], on_delay: 5s, priority: P4, name: Mode}
  - {id: slip, kind: deviation, input: belt.v, reference: belt.w, at: 8, percent_of: reference, side: below,
     priority: P2, name: Slip}
"""
STORIES = """
include: [rules.yaml]
points: {cam.bare: "", valve.command: "", valve.seen: "", badge.beat: "", pump.trip: "", gas.a: "", gas.b: "",
         gas.c: "", kiln.t: "", tank.level: "%", fan.mode: "", belt.v: "", belt.w: ""}
scenarios:
  - name: enough pictures, though they all show the same
    steps:
      - {at: 1s, set: {cam.bare: {repeat: [1], times: 5, every: 500ms}}}
      - {at: 2900ms, expect: {helmet: normal}}
      - {at: 3s, expect: {helmet: unacknowledged}}
      - {at: 4s, set: {cam.bare: null}}
      - {at: 1h, expect: {helmet: {state: unacknowledged, degraded: true}}}
  - name: a valve that does not close
    steps:
      - {at: 0s, set: {valve.command: true, valve.seen: OPEN}}
      - {at: 10s, set: {valve.command: false}}
      - {at: 18s, expect: {valve: normal}}
      - {at: 20s, expect: {valve: unacknowledged}}
      - {at: 21s, set: {valve.seen: null}}
      - {at: 1h, expect: {valve: unacknowledged}}
      - {at: 3601s, set: {valve.seen: CLOSED}, expect: {valve: returned-unacknowledged}}
  - name: a badge falls silent, though its last value was good
    steps:
      - {at: 0s, set: {badge.beat: {repeat: [1], times: 10, every: 1min}}}
      - {at: 839s, expect: {badge: normal}}
      - {at: 841s, expect: {badge: unacknowledged}}
      - {at: 15min, set: {badge.beat: 1}}
      - {at: 901s, expect: {badge: returned-unacknowledged}}
  - name: a pump trips three times, and then is quiet
    steps:
      - {at: 0s, set: {pump.trip: {repeat: [false, true], times: 3, every: 1min}}}
      - {at: 299s, expect: {trips: normal}}
      - {at: 300s, expect: {trips: unacknowledged}}
      - {at: 6min, set: {pump.trip: false}}
      - {at: 904s, expect: {trips: unacknowledged}}
      - {at: 906s, expect: {trips: returned-unacknowledged}}
  - name: one detector that fails neither raises nor ends anything
    steps:
      - {at: 0s, set: {gas.a: 30, gas.b: null, gas.c: 5}}
      - {at: 1min, expect: {gas: {state: normal, degraded: true}}}
      - {at: 61s, set: {gas.b: 25}, expect: {gas: unacknowledged}}
      - {at: 62s, set: {gas.b: null}}
      - {at: 1h, expect: {gas: {state: unacknowledged, degraded: true}}}
      - {at: 3601s, set: {gas.a: 5}}
      - {at: 3604s, expect: {gas: returned-unacknowledged}}
  - name: a kiln heats up too fast, and one that heats up slowly does not
    steps:
      - {at: 0s, set: {kiln.t: {ramp: 8, over: 2min, every: 1s}}}
      - {at: 2min, expect: {heats: normal}}
      - {at: 121s, set: {kiln.t: {ramp: 20, over: 2min, every: 1s}}}
      - {at: 4min, expect: {heats: unacknowledged}}
      - {at: 6min, expect: {heats: returned-unacknowledged}}
  - name: a tank will be full soon
    steps:
      - {at: 0s, set: {tank.level: {ramp: 100, over: 100min, every: 20s}}}
      - {at: 55min, expect: {full: normal}}
      - {at: 62min, expect: {full: unacknowledged}}
      - {at: 95min, expect: {full: unacknowledged}}
  - name: a mode that nobody knows is not normal, and one that is lost is unknown
    steps:
      - {at: 0s, set: {fan.mode: AUTO}}
      - {at: 10s, set: {fan.mode: null}}
      - {at: 20s, expect: {mode: {state: normal, degraded: true}}}
      - {at: 30s, set: {fan.mode: WHATEVER}}
      - {at: 36s, expect: {mode: unacknowledged}}
  - name: a belt slips
    steps:
      - {at: 0s, set: {belt.v: 2.0, belt.w: 2.0}}
      - {at: 10s, set: {belt.v: 1.8}}
      - {at: 13s, expect: {slip: unacknowledged}}
      - {at: 20s, set: {belt.w: 1.8}}
      - {at: 31s, expect: {slip: returned-unacknowledged}}
"""


def test_every_story_comes_true(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "rules.test.yaml").write_text(STORIES)
    results = dict(run_file(tmp_path / "rules.test.yaml"))
    assert len(results) == 9 and {name: failures for name, failures in results.items() if failures} == {}
