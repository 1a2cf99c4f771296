"""A one-stage model's boxes become persons with their equipment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.detection import Box, Detection, Wearing
from models.gear import Found, fold
from models.labels import offered
from models.vocabulary import Gear, Meaning, Thing, meaning

JUDGED = frozenset((Gear.HELMET, Gear.VEST))
MAN, OTHER = Box(100, 100, 160, 280), Box(150, 110, 210, 290)
HEAD, OTHER_HEAD, TRUNK = Box(118, 98, 142, 125), Box(168, 108, 192, 135), Box(105, 130, 155, 190)


def box(label: str, where: Box, score: float = 0.8) -> Found:
    means = meaning(label)
    assert means is not None
    return Found(where, score, means)


def test_each_piece_goes_to_whoever_wears_it() -> None:
    found = [
        box("person", MAN),
        box("person", OTHER),
        box("helmet", HEAD),
        box("no_helmet", OTHER_HEAD),
        box("vest", TRUNK),
    ]
    man, other = fold(found, JUDGED)
    assert man.gear == {Gear.HELMET: Wearing.WORN, Gear.VEST: Wearing.WORN}
    assert other.gear == {Gear.HELMET: Wearing.MISSING}
    assert other.wears(Gear.VEST) is Wearing.UNKNOWN


def test_a_helmet_in_the_hand_is_not_worn() -> None:
    (man,) = fold([box("person", MAN), box("helmet", Box(100, 230, 124, 255))], JUDGED)[:1]
    assert man.wears(Gear.HELMET) is Wearing.UNKNOWN


def test_a_contradiction_is_unknown_unless_one_is_clearly_surer() -> None:
    both = [box("person", MAN), box("helmet", HEAD, 0.6), box("no_helmet", HEAD, 0.7)]
    assert fold(both, JUDGED)[0].wears(Gear.HELMET) is Wearing.UNKNOWN
    both[2] = box("no_helmet", HEAD, 0.9)
    assert fold(both, JUDGED)[0].wears(Gear.HELMET) is Wearing.MISSING


def test_a_head_without_a_person_makes_one_and_only_one() -> None:
    (person,) = fold([box("no_helmet", HEAD), box("helmet", HEAD, 0.5), box("no_vest", TRUNK)], JUDGED)
    assert person.gear == {Gear.HELMET: Wearing.MISSING, Gear.VEST: Wearing.MISSING}
    assert person.box.top == HEAD.top and person.box.bottom > TRUNK.bottom


def test_a_trunk_alone_makes_a_person_too() -> None:
    (person,) = fold([box("no_vest", TRUNK)], JUDGED)
    assert person.thing is Thing.PERSON and person.wears(Gear.VEST) is Wearing.MISSING


def test_what_is_not_asked_for_makes_nobody_and_things_stay() -> None:
    found = fold([box("no_helmet", HEAD), box("forklift", OTHER)], frozenset())
    assert found == [Detection(OTHER, 0.8, Thing.VEHICLE)]


def test_equipment_is_offered_only_where_worn_and_missing_can_be_seen() -> None:
    both = offered([meaning("helmet"), meaning("no_helmet"), meaning("vest"), None])
    assert both.gear == {Gear.HELMET} and both.things == {Thing.PERSON}
    assert offered([meaning("fire"), meaning("vest")]).things == {Thing.FIRE}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 300), st.integers(0, 300), st.integers(2, 90), st.sampled_from(list(Gear)), st.booleans()
        )
    )
)
def test_a_bare_head_is_never_lost(pieces: list[tuple[int, int, int, Gear, bool]]) -> None:
    """Every head box that says missing leaves a person who misses it, or one of whom it is unknown."""
    found = [
        Found(Box(x, y, x + size, y + size), 0.8, Meaning(gear=gear, worn=worn)) for x, y, size, gear, worn in pieces
    ]
    persons = fold([box("person", MAN), *found], frozenset((Gear.HELMET,)))
    bare = any(item.meaning == Meaning(gear=Gear.HELMET, worn=False) for item in found)
    assert not bare or any(Gear.HELMET in person.gear for person in persons)
    assert all(person.wears(Gear.VEST) is Wearing.UNKNOWN for person in persons)
