"""What holds for every kind, over any story of good, uncertain and lost values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.model import Quality
from tests.rules.kinds.bench import Bench

RULES: dict[str, dict[str, Any]] = {
    "deviation": {"input": "a", "reference": "b", "at": 5, "deadband": 1},
    "rate": {"input": "a", "at": 5, "per": "s", "window": "10s", "span": "4s"},
    "discrete": {"input": "a", "normal_at": [0, 1, 2]},
    "discrepancy": {"command": "a", "feedback": "b", "travel": "3s", "tolerance": 1},
    "voting": {"inputs": ["a", "b"], "needed": 1, "above": 5, "deadband": 2},
    "share": {"inputs": {"a": "a"}, "when": "a > 5.0", "observations": 2},
    "count": {"inputs": {"a": "a"}, "when": "a > 5.0", "count": 2, "window": "20s", "quiet": "5s"},
    "forecast": {"input": "a", "limit": 9, "within": "1min", "window": "1min"},
    "anomaly": {"input": "a", "least": 1},
    "stale": {"inputs": ["a", "b"], "after": "5s"},
}
Story = list[tuple[float, float | None, float | None, bool]]
STORIES: Any = st.lists(
    st.tuples(
        st.sampled_from([0.5, 1.0, 2.0, 4.0]),
        st.sampled_from([0.0, 1.0, 4.0, 6.0, 20.0, None]),
        st.sampled_from([0.0, 1.0, 6.0, None]),
        st.booleans(),
    ),
    max_size=25,
)
ONE_INPUT_IS_ENOUGH = {"voting"}
KNOWN_BY_ITSELF = {"stale", "count"}
"""Stale is about missing data; a count that was reached stays reached while nobody can see that it is quiet."""


def play(found: Bench, step: tuple[float, float | None, float | None, bool]) -> bool | None:
    seconds, a, b, good = step
    return found.after(seconds, Quality.GOOD if good else Quality.UNCERTAIN, a=a, b=b)


@pytest.mark.parametrize("kind", RULES)
@settings(max_examples=60, deadline=None)
@given(STORIES)
def test_nothing_ends_by_what_is_lost_or_uncertain(kind: str, story: Story) -> None:
    found = Bench(kind=kind, **RULES[kind])
    for step in story:
        held, verdict = found.held, play(found, step)
        known = [found.samples[point].value is not None for point in found.condition.inputs]
        if kind != "stale" and not any(known):
            assert verdict is None or (kind == "count" and held and verdict is True)
        if kind not in ONE_INPUT_IS_ENOUGH and not all(known):
            assert verdict is not False or kind == "stale"
            assert verdict is not True or kind in KNOWN_BY_ITSELF
        if kind != "stale" and not step[3]:
            assert verdict is not False


@pytest.mark.parametrize("kind", RULES)
@settings(max_examples=30, deadline=None)
@given(STORIES, STORIES)
def test_a_restart_in_the_middle_of_a_story_loses_nothing(kind: str, story: Story, more: Story) -> None:
    """What is raised stays raised, and what was saved is saved again; it is small whatever has happened."""
    found = Bench(kind=kind, **RULES[kind])
    for step in story:
        play(found, step)
    if found.memory is None:
        return
    saved = json.dumps(found.memory.save())
    assert json.dumps(found.memory.save()) == saved and len(saved) < 10_000
    held = found.held
    found.restart()
    assert json.dumps(found.memory.save()) == saved
    assert not held or found.judge().exceeded is not False or story[-1][3]
    for step in more:
        play(found, step)


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("rubbish", [None, 5, "x", [], {}, [1], {"marks": [1]}, {"events": 3}, {"trace": 1}, {"a": {}}])
def test_a_memory_that_makes_no_sense_is_refused_with_one_error(kind: str, rubbish: Any) -> None:
    memory = Bench(kind=kind, **RULES[kind]).memory
    if memory is None:
        return
    try:
        memory.load(rubbish, True)
    except ValueError as error:
        assert str(error)
    else:
        json.dumps(memory.save())


@pytest.mark.parametrize("kind", RULES)
def test_it_says_what_it_does_and_sees_before_anything_was_read(kind: str) -> None:
    found = Bench(kind=kind, **RULES[kind])
    assert found.condition.describe() and "was never read" in found.words()
    assert found.judge().exceeded is (False if kind == "stale" else None)
    assert found.rule.describe() and found.rule.definition.condition == found.condition.describe()
