from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.durations import format_duration, parse_duration
from agent.core.options import DeviceOptions


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("2s", 2.0), ("1.5 s", 1.5), ("5min", 300.0), ("8h", 28800.0), ("7d", 604800.0), (0, 0.0)],
)
def test_reads_what_people_write(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", 5, 0.5, "5 m", "-1s", "1s2s", None, True, "s"])
def test_refuses_what_has_no_unit(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration; write a number with its unit"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_round_trip_of_milliseconds(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, rel=1e-5)


def test_a_file_must_name_the_unit_but_code_need_not() -> None:
    assert DeviceOptions(timeout=0.5).timeout == 0.5
    with pytest.raises(ValueError, match="not a duration"):
        DeviceOptions.model_validate({"timeout": 0.5}, context={"from_file": True})
