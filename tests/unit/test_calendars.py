from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config import load_site
from agent.core.calendars import time_zone
from drivers import REGISTRY
from models import CAMERA

SITE = """
gateway: {id: hall-3, site: works, timezone: Asia/Shanghai}
calendars:
  night: {from: 22:00, to: 06:00}
  shift: [{days: mon-fri, from: 06:00, to: 14:00}, {days: sat, from: 08:00, to: 12:00}]
"""


@pytest.mark.parametrize(
    ("name", "utc", "inside"),
    [
        ("night", datetime(2026, 3, 4, 14, 0, tzinfo=UTC), True),
        ("night", datetime(2026, 3, 4, 13, 59, tzinfo=UTC), False),
        ("night", datetime(2026, 3, 4, 21, 59, tzinfo=UTC), True),
        ("night", datetime(2026, 3, 4, 22, 0, tzinfo=UTC), False),
        ("shift", datetime(2026, 3, 6, 5, 59, tzinfo=UTC), True),
        ("shift", datetime(2026, 3, 7, 0, 0, tzinfo=UTC), True),
        ("shift", datetime(2026, 3, 7, 4, 0, tzinfo=UTC), False),
        ("shift", datetime(1970, 1, 3, tzinfo=UTC), True),
    ],
)
def test_a_calendar_is_read_in_the_zone_of_the_site(tmp_path: Path, name: str, utc: datetime, inside: bool) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, encoding="utf-8")
    assert load_site(path, REGISTRY, CAMERA).calendars[name].covers(utc) is inside


def test_without_a_name_the_system_s_zone_counts() -> None:
    assert time_zone("").utcoffset(datetime(2026, 3, 4)) is not None
