"""What must be well with the gateway itself, as the chips at the head of the page tell it. Pure in the snapshot."""

from __future__ import annotations

from typing import Any

from agent.hmi.source import Snapshot

Vital = dict[str, tuple[bool | None, list[str]]]
"""By name: whether it is well, None while that is not known, and the words beside it."""
_CONFIRMS = "gateway.centre_confirms"
_FEW = 5
"""So many events may be on their way without a word."""


def vital(snapshot: Snapshot, live: bool) -> Vital:
    """Return what must be well; of an agent that is not heard nothing is known."""
    status = snapshot.status
    away = [device["id"] for device in status["devices"] if device["state"] != "online"]
    away += [camera["id"] for camera in status["cameras"] if not sees(camera)]
    count = len(status["devices"]) + len(status["cameras"])
    failed = bool(status["journal"]["failed"])
    found: Vital = {"devices": (not away, away or [str(count)]), "journal": (not failed, ["failing"] if failed else [])}
    if status["uplink"] is not None:
        found["uplink"] = _centre(snapshot)
    return found if live else {key: (None, []) for key in found}


def sees(camera: dict[str, Any]) -> bool:
    """Tell whether a camera shows what is there now."""
    return camera["state"] == "online" and bool(camera["camera_ok"])


def _centre(snapshot: Snapshot) -> tuple[bool, list[str]]:
    """A broker that takes events is not yet a centre that has them."""
    uplink, pending = snapshot.status["uplink"], sum(snapshot.status["journal"]["pending"].values())
    words = [uplink["state"]]
    is_deaf = uplink["nobody_listens"]
    doubts = any(point["id"] == _CONFIRMS and point["value"] is False for point in snapshot.points)
    words += ["nobody_listens"] if is_deaf else ["not_confirmed"] if doubts else []
    words += [str(pending), "waiting"] if pending > _FEW else []
    return uplink["state"] == "online" and not is_deaf and not doubts, words
