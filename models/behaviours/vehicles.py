"""People near vehicles. Pure."""

from __future__ import annotations

import math

from models.behaviours.base import Fact, Facts, View
from models.detection import Box
from models.geometry import overlap
from models.vocabulary import Thing

LEAVE = 1.2
_ABOARD_SHARE, _ABOARD_FEET = 0.8, 0.25


class NearVehicle:
    """Measures on the floor, from a person's feet to a vehicle's lower edge, in the person's heights.

    Who sits in a vehicle is not near it. Parked ones count: a picture does not tell whether one will start.
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self.near: set[int] = set()

    def observe(self, view: View) -> Facts:
        """Return for how many people a vehicle is near (``vehicle_near``); nearness ends at 1.2 times the limit.

        Who cannot be seen clearly keeps the last answer, and makes it unsure unless that was near.
        """
        vehicles = view.things.get(Thing.VEHICLE, ())
        self.near &= {track.id for track in view.people}
        for track in view.people:
            if view.is_clear(track):
                self._judge(track.id, min((way(track.box, box) for box in vehicles), default=math.inf))
        doubtful = [track for track in view.people if not view.is_clear(track) and track.id not in self.near]
        return {"vehicle_near": Fact(len(self.near), not doubtful)}

    def _judge(self, name: int, heights: float) -> None:
        if heights <= self._within:
            self.near.add(name)
        elif heights > LEAVE * self._within:
            self.near.discard(name)


def way(person: Box, vehicle: Box) -> float:
    """Return how far feet are from a vehicle's lower edge, in the person's heights; inf for who is aboard."""
    tall = max(person.height, 1.0)
    inside = overlap(person, vehicle) >= _ABOARD_SHARE * person.area
    if inside and vehicle.bottom - person.bottom > _ABOARD_FEET * tall:
        return math.inf
    x = person.centre[0]
    aside = max(0.0, vehicle.left - x, x - vehicle.right)
    return math.hypot(aside, vehicle.bottom - person.bottom) / tall
