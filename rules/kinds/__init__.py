"""The kinds of rules: one kind, one file, one line here."""

from __future__ import annotations

from collections.abc import Mapping

from rules.kinds.anomaly import AnomalyOptions
from rules.kinds.condition import ConditionOptions
from rules.kinds.count import CountOptions
from rules.kinds.deviation import DeviationOptions
from rules.kinds.discrepancy import DiscrepancyOptions
from rules.kinds.discrete import DiscreteOptions
from rules.kinds.forecast import ForecastOptions
from rules.kinds.level import LevelOptions
from rules.kinds.rate import RateOptions
from rules.kinds.share import ShareOptions
from rules.kinds.stale import StaleOptions
from rules.kinds.voting import VotingOptions
from rules.language import RuleOptions

KINDS: Mapping[str, type[RuleOptions]] = {
    "level": LevelOptions,
    "condition": ConditionOptions,
    "deviation": DeviationOptions,
    "rate": RateOptions,
    "discrete": DiscreteOptions,
    "discrepancy": DiscrepancyOptions,
    "stale": StaleOptions,
    "count": CountOptions,
    "voting": VotingOptions,
    "share": ShareOptions,
    "forecast": ForecastOptions,
    "anomaly": AnomalyOptions,
}
