from __future__ import annotations

from typing import Any

import pytest

from agent.core.model import Quality, Value
from tests.rules.kinds.bench import Bench


def judge(value: Value, **how: Any) -> bool | None:
    return Bench(kind="discrete", input="a", **how).after(1, a=value)


@pytest.mark.parametrize(
    ("value", "how", "expected"),
    [
        ("FAULT", {"alarm_at": ["FAULT", "LOCAL"]}, True),
        ("AUTO", {"alarm_at": ["FAULT", "LOCAL"]}, False),
        ("AUTO", {"alarm_at": "FAULT"}, False),
        (3, {"alarm_at": [3, 4]}, True),
        (3.0, {"alarm_at": [3, 4]}, True),
        (True, {"alarm_at": True}, True),
        (1, {"alarm_at": True}, True),
        (0, {"alarm_at": True}, False),
        (1, {"alarm_at": "FAULT"}, None),
        ("1", {"alarm_at": 1}, None),
        ("ON", {"alarm_at": True}, True),
        ("OFF", {"alarm_at": [True]}, False),
        ("off", {"normal_at": [True]}, True),
        ("STANDBY", {"normal_at": [True]}, None),
        ("STANDBY", {"normal_at": [True, "AUTO"]}, True),
        (float("nan"), {"normal_at": [1]}, None),
        ("AUTO", {"normal_at": ["AUTO"]}, False),
        ("NOBODY THOUGHT OF IT", {"normal_at": ["AUTO"]}, True),
        (0b1010, {"bits": [1]}, True),
        (0b1010, {"bits": [0, 2]}, False),
        (0b1010, {"bits": [0, 3]}, True),
        (10.0, {"bits": [3]}, True),
        (10.5, {"bits": [3]}, None),
        (-1, {"bits": [15]}, True),
        ("text", {"bits": [0]}, None),
    ],
)
def test_states_words_and_bits(value: Value, how: dict[str, Any], expected: bool | None) -> None:
    assert judge(value, **how) is expected


def test_what_is_lost_or_uncertain_never_ends_it() -> None:
    bench = Bench(kind="discrete", input="a", alarm_at="FAULT")
    assert bench.after(1, a=None) is None
    assert bench.after(1, Quality.UNCERTAIN, a="FAULT") is True
    assert bench.after(1, Quality.UNCERTAIN, a="AUTO") is None
    assert bench.after(1, a="AUTO") is False


def test_it_says_what_it_sees() -> None:
    bench = Bench(kind="discrete", input="a", bits=[1, 3])
    bench.after(1, a=0b1010)
    assert bench.condition.describe() == "a has bit 1 or 3 set" and bench.words().endswith("set: bit 1, 3")
    odd = Bench(kind="discrete", input="a", normal_at=["AUTO"])
    odd.after(1, a=7)
    assert odd.condition.describe() == "a is not AUTO"
    assert odd.words().endswith("7 cannot be compared with what the rule names")
