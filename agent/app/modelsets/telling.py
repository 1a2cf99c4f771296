"""Each step of a camera's model as an event, and as what the one who asked is told."""

from __future__ import annotations

from typing import Any

import structlog

from agent.core.model import EventDraft, Lane, Operator
from agent.core.ports import Clock, Recorder

log = structlog.get_logger(__name__)

Outcome = dict[str, Any]


class Teller:
    """``hashes`` are those of the bundles' manifests by key; ``last`` holds each camera's last event."""

    def __init__(self, journal: Recorder, clock: Clock) -> None:
        self.hashes: dict[str, str] = {}
        self.last: dict[str, Outcome] = {}
        self._journal, self._clock = journal, clock

    def __call__(
        self,
        action: str,
        camera: str,
        model: str,
        operator: Operator,
        reason: str = "",
        previous: str = "",
        **more: object,
    ) -> Outcome:
        """Let the journal know, and return what the one who asked is told."""
        outcome = {"action": action, "camera": camera, "model": model, "previous": previous, "reason": reason}
        who = {"name": operator.name, "via": operator.via, "note": operator.note}
        now = self._clock.now()
        data = {**outcome, "sha256": self.hashes.get(model, ""), "operator": who}
        self.last[camera] = {**data, "at": now.utc.isoformat()}
        self._journal.record([EventDraft("model.change", Lane.STATE, camera, {**data, **more}, now)], ())
        (log.warning if reason and action != "shadowed" else log.info)("model", **outcome)
        return {**outcome, **more}
