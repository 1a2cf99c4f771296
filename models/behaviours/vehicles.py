"""People near vehicles. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from models.behaviours.base import Fact, Facts, View
from models.detection import Box
from models.geometry import overlap
from models.vocabulary import Thing

LEAVE = 1.2
LOST_S = 10.0
"""So long somebody who was near a vehicle, and is not seen any more, may be behind it."""
_ABOARD_SHARE, _ABOARD_FEET = 0.8, 0.25


@dataclass(slots=True)
class NearState:
    """The tracks of those to whom a vehicle is near, and of those who were ``lost`` there, with the watched time."""

    near: list[int] = field(default_factory=list)
    lost: dict[int, float] = field(default_factory=dict)


class NearVehicle:
    """Measures on the floor, from a person's feet to a vehicle's lower edge, in the person's heights.

    Who sits in a vehicle is not near it. Parked ones count: a picture does not tell whether one will start.
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self.state = NearState()

    def observe(self, view: View) -> Facts:
        """Return for how many people a vehicle is near (``vehicle_near``); nearness ends at 1.2 times the limit.

        Who cannot be seen clearly keeps the last answer, and makes it unsure unless that was near. So does, for
        ``LOST_S``, who was near and is not seen any more.
        """
        vehicles = view.things.get(Thing.VEHICLE, ())
        near = {track.id for track in view.people}.intersection(self.state.near)
        for track in view.people:
            if view.is_clear(track):
                self._judge(track.id, min((way(track.box, box) for box in vehicles), default=math.inf), near)
        self._look_for_lost(view, near)
        self.state.near = sorted(near)
        doubtful = [track for track in view.people if not view.is_clear(track) and track.id not in near]
        return {"vehicle_near": Fact(len(near), not doubtful and not self.state.lost)}

    def _look_for_lost(self, view: View, near: set[int]) -> None:
        """Take up who was near and is gone; whom the picture shows is not lost, and without a vehicle nobody is."""
        seen = {track.id for track in view.tracks if track.seen_s == view.now_s}
        lost = {name: view.watched_s for name in self.state.near if name not in near} | self.state.lost
        self.state.lost = {
            name: at_s
            for name, at_s in lost.items()
            if view.things.get(Thing.VEHICLE) and name not in seen and view.watched_s - at_s <= LOST_S
        }

    def _judge(self, name: int, heights: float, near: set[int]) -> None:
        if heights <= self._within:
            near.add(name)
        elif heights > LEAVE * self._within:
            near.discard(name)


def way(person: Box, vehicle: Box) -> float:
    """Return how far feet are from a vehicle's lower edge, in the person's heights; inf for who is aboard."""
    tall = max(person.height, 1.0)
    inside = overlap(person, vehicle) >= _ABOARD_SHARE * person.area
    if inside and vehicle.bottom - person.bottom > _ABOARD_FEET * tall:
        return math.inf
    x = person.centre[0]
    aside = max(0.0, vehicle.left - x, x - vehicle.right)
    return math.hypot(aside, vehicle.bottom - person.bottom) / tall
