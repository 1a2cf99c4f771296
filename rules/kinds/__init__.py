"""The kinds of rules: one kind, one file, one line here."""

from __future__ import annotations

from collections.abc import Mapping

from rules.kinds.condition import ConditionOptions
from rules.kinds.level import LevelOptions
from rules.language import RuleOptions

KINDS: Mapping[str, type[RuleOptions]] = {
    "level": LevelOptions,
    "condition": ConditionOptions,
}
