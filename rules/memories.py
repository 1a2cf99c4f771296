"""What conditions keep of the past, as it is saved and taken up again. No I/O here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic_core import PydanticSerializationError, to_json

from agent.core.remembered import Remembered
from rules.slot import Slot


def remembered(slot: Slot) -> Remembered | None:
    """Return what the condition of ``slot`` keeps, None if it keeps nothing. Raises ValueError if it is no JSON."""
    if slot.memory is None:
        return None
    try:
        body = to_json(slot.memory.save(), inf_nan_mode="constants").decode()
    except PydanticSerializationError as error:
        raise ValueError(f"what {slot.alarm.id} remembers is no JSON: {error}") from error
    return Remembered(slot.alarm.id, slot.rule.fingerprint, body)


def recall(slots: Mapping[str, Slot], saved: Iterable[tuple[Remembered, bool]]) -> Iterator[tuple[str, str]]:
    """Let each condition go on with what it kept; yield the rules that start afresh, and why.

    ``saved`` tells of each whether it was saved on this boot. What another condition kept is left alone.
    """
    for row, same_boot in saved:
        slot = slots.get(row.rule)
        if slot is None or slot.memory is None or slot.rule.fingerprint != row.fingerprint:
            continue
        try:
            slot.memory.load(json.loads(row.body), same_boot)
        except (ValueError, TypeError, LookupError) as error:  # it may be of another version
            slot.memory = slot.rule.condition.remember()
            yield row.rule, str(error) or type(error).__name__
