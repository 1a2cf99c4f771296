"""What a detector's classes mean to us: by the manifest, else by the vocabulary. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from models.detection import Offer
from models.vocabulary import Gear, Meaning, Thing, meaning

NOTHING = "nothing"
"""What a class stands for that nobody waits for."""


def meanings(classes: Sequence[str], means: Mapping[str, str]) -> list[Meaning | None]:
    """Return what each class means; None for those that mean nothing here."""
    return [meaning(means.get(label, label)) for label in classes]


def unknown_labels(classes: Sequence[str], means: Mapping[str, str]) -> list[str]:
    """Return the labels that nothing says the meaning of."""
    return [label for label in classes if label not in means and meaning(label) is None]


def wrong_means(classes: Sequence[str], means: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return each faulty entry's label and what would be right."""
    names = [NOTHING, *Thing, *Gear, *(f"no_{gear}" for gear in Gear)]
    faults = [(label, f"there is no class {label!r}") for label in means if label not in classes]
    return faults + [
        (label, f"{word!r} is no known meaning; known are {', '.join(names)}")
        for label, word in means.items()
        if word not in names
    ]


def offered(found: Iterable[Meaning | None]) -> Offer:
    """Return what a detector with such classes can judge by its own boxes.

    Equipment counts only where both worn and missing can be seen: from one alone nobody could tell when it is over.
    Whoever sees heads sees persons.
    """
    known = [item for item in found if item is not None]
    worn = {item.gear for item in known if item.gear and item.worn}
    missing = {item.gear for item in known if item.gear and not item.worn}
    gear = frozenset(item for item in worn & missing if item is not None)
    things = frozenset(item.thing for item in known if item.thing is not None)
    return Offer(gear, things | {Thing.PERSON} if gear else things)
