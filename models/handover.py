"""What a worker knows of the people in its picture, as JSON: a new model goes on where the one before it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.detection import Box, Wearing
from models.posture import Posture
from models.tracking import Track
from models.vocabulary import Gear
from models.voting import Ballot, Presence


def plain(tracks: Sequence[Track]) -> list[dict[str, Any]]:
    """Return the people with their votes and zones. Times are monotonic seconds, the same in each process."""
    return [
        {
            "id": track.id,
            "box": [track.box.left, track.box.top, track.box.right, track.box.bottom],
            "seen_s": track.seen_s,
            "hits": track.hits,
            "speed": list(track.speed),
            "ballots": {gear: ballot.plain() for gear, ballot in track.ballots.items()},
            "zones": {name: presence.plain() for name, presence in track.zones.items()},
            "posture": asdict(track.posture),
        }
        for track in tracks
    ]


def tracks_of(people: Sequence[Mapping[str, Any]]) -> list[Track]:
    """Return the people that ``plain`` told of. Raises KeyError, TypeError or ValueError for anything else."""
    return [
        Track(
            person["id"],
            Box(*map(float, person["box"])),
            float(person["seen_s"]),
            int(person["hits"]),
            (float(person["speed"][0]), float(person["speed"][1])),
            {Gear(gear): _ballot(saved) for gear, saved in person["ballots"].items()},
            {name: Presence(saved["inside"], saved["count"]) for name, saved in person["zones"].items()},
            posture=_posture(person["posture"]),
        )
        for person in people
    ]


def _posture(saved: Mapping[str, Any]) -> Posture:
    place = Box(**saved["place"]) if saved["place"] else None
    votes = [(float(at_s), bool(flat)) for at_s, flat in saved["votes"]]
    return Posture(**{**saved, "place": place, "votes": votes})


def _ballot(saved: Mapping[str, Any]) -> Ballot:
    return Ballot(Wearing(saved["verdict"]), [(float(at_s), bool(missing)) for at_s, missing in saved["votes"]])
