"""What people and things do in a zone, each behaviour one small object that gives facts."""

from __future__ import annotations

from models.behaviours.base import Behaviour
from models.behaviours.lying import Lying
from models.behaviours.post import Post
from models.behaviours.running import Running
from models.behaviours.stay import Stay
from models.behaviours.vehicles import NearVehicle
from models.places import ZoneOptions


def behaviours_of(zone: ZoneOptions) -> list[Behaviour]:
    """Return what is watched for in a zone; ``zone.facts`` names what they give."""
    found: list[Behaviour] = []
    if zone.loiter_after is not None:
        found.append(Stay(zone.loiter_after))
    if zone.post:
        found.append(Post())
    if zone.vehicle_within is not None:
        found.append(NearVehicle(zone.vehicle_within))
    if zone.still_after is not None:
        found.append(Lying(zone.still_after))
    if zone.running_above is not None:
        found.append(Running(zone.running_above))
    return found
