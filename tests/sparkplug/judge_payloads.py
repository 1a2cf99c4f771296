"""Aliases, types, properties and qualities: what stands in a payload."""

from __future__ import annotations

from typing import Any

from tests.sparkplug.evidence import BIRTHS, DATA, Evidence, every
from tests.sparkplug.judging import born, judges


@judges("payloads-alias-uniqueness")
def no_alias_is_given_twice(seen: Evidence) -> object:
    fine = []
    for session in born(seen):
        owners: dict[int, tuple[str, str]] = {}
        for told in session.of(*BIRTHS):
            for metric in (metric for metric in told.raw_metrics if "alias" in metric):
                owner = (told.device, metric["name"])
                fine.append(owners.setdefault(metric["alias"], owner) == owner)
    return every(fine, bool)


@judges("payloads-alias-birth-requirement payloads-name-requirement")
def births_have_names_and_aliases(seen: Evidence) -> object:
    own = ("bdSeq", "Node Control/Rebirth")
    metrics = [metric for told in seen.told(*BIRTHS) for metric in told.raw_metrics]
    return every(metrics, lambda metric: metric["name"] in own or "alias" in metric)


@judges("payloads-alias-data-cmd-requirement")
def data_has_aliases_alone(seen: Evidence) -> object:
    metrics = [metric for told in seen.told(*DATA) for metric in told.raw_metrics]
    return every(metrics, lambda metric: "alias" in metric and "name" not in metric)


@judges("payloads-metric-datatype-value-type payloads-metric-datatype-value payloads-metric-datatype-req")
def births_have_types(seen: Evidence) -> object:
    metrics = [metric for told in seen.told(*BIRTHS) for metric in told.raw_metrics]
    return every(metrics, lambda metric: metric["datatype"] in range(1, 35))


@judges("payloads-metric-datatype-not-req")
def data_has_no_types(seen: Evidence) -> object:
    return every((m for told in seen.told(*DATA) for m in told.raw_metrics), lambda metric: "datatype" not in metric)


def property_sets(seen: Evidence) -> list[dict[str, list[Any]]]:
    metrics = (metric for told in seen.told(*BIRTHS, *DATA) for metric in told.raw_metrics)
    return [metric["properties"] for metric in metrics if "properties" in metric]


@judges("payloads-propertyset-keys-array-size payloads-propertyset-values-array-size")
def properties_have_a_value_each(seen: Evidence) -> object:
    return every(property_sets(seen), lambda each: len(each["keys"]) == len(each["values"]) > 0)


@judges(
    "payloads-metric-propertyvalue-type-type payloads-metric-propertyvalue-type-value "
    "payloads-metric-propertyvalue-type-req"
)
def properties_have_types(seen: Evidence) -> object:
    return every((v for each in property_sets(seen) for v in each["values"]), lambda value: value["type"] in (3, 12))


def qualities(seen: Evidence) -> list[dict[str, int]]:
    dicts = [dict(zip(each["keys"], each["values"], strict=True)) for each in property_sets(seen)]
    return [each["Quality"] for each in dicts if "Quality" in each]


@judges("payloads-propertyset-quality-value-type")
def quality_is_an_int32(seen: Evidence) -> object:
    return every(qualities(seen), lambda value: value["type"] == 3)


@judges("payloads-propertyset-quality-value-value")
def quality_is_one_of_three(seen: Evidence) -> object:
    """And not always the same: bad, good and stale were all seen."""
    return {value["intValue"] for value in qualities(seen)} == {0, 192, 500}
