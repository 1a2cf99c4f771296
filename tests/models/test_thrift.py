"""What was said of somebody's equipment is said again, and no change of it waits for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection import Detection, Wearing
from models.scene import Judgement, Scene
from models.thrift import REUSED_S, Thrift
from models.vocabulary import Gear
from tests.models.people import HEIGHT, WIDTH, standing
from tests.models.test_settling import ZONE

WORN, MISSING, UNKNOWN = Wearing.WORN, Wearing.MISSING, Wearing.UNKNOWN
Truth = Callable[[float], Sequence[Detection]]
"""Who is there at a time, with what the network would say of each."""


def wearing(person: Detection, helmet: Wearing) -> Detection:
    return replace(person, gear={Gear.HELMET: helmet})


class Play:
    """Lets a scene see the truth, with thrift or without; ``judged`` is when the network was asked about whom."""

    def __init__(self, truth: Truth, fps: float, until_s: float, thrift: Thrift | None) -> None:
        self.scene, self.judged = Scene({"all": ZONE}, 0.5), list[tuple[float, Detection]]()
        self.told: list[tuple[float, Sequence[Detection], Judgement]] = []
        for number in range(int(until_s * fps) + 1):
            now_s = number / fps
            found = self._ask(truth(now_s), now_s, thrift) if thrift else truth(now_s)
            self.told.append((now_s, found, self.scene.judge(found, WIDTH, HEIGHT, now_s)))
            if thrift:
                thrift.learn(self.scene.seen(now_s), now_s)

    def _ask(self, there: Sequence[Detection], now_s: float, thrift: Thrift) -> Sequence[Detection]:
        thrift.expect(self.scene.expected(now_s))
        asked = [person for person in there if thrift.must_judge(person.box, now_s)]
        self.judged += [(now_s, person) for person in asked]
        return thrift.complete([person if person in asked else replace(person, gear={}) for person in there])

    def first(self, missing: int, after_s: float) -> float:
        """Return when so many without a helmet were told of first."""
        return next(
            at_s for at_s, _, seen in self.told if at_s >= after_s and seen.whole.missing[Gear.HELMET] == missing
        )


@settings(max_examples=25, deadline=None)
@given(st.floats(2, 10), st.floats(2.5, 3.5), st.booleans())
def test_a_change_is_seen_within_half_a_second_and_a_picture(fps: float, changed_s: float, comes_off: bool) -> None:
    before, after = (WORN, MISSING) if comes_off else (MISSING, WORN)

    def truth(now_s: float) -> list[Detection]:
        return [wearing(standing(200), before if now_s < changed_s else after)]

    plain, thrifty = (Play(truth, fps, 8, thrift) for thrift in (None, Thrift()))
    noticed_s = next(at_s for at_s, _ in thrifty.judged if at_s >= changed_s)
    assert noticed_s - changed_s <= REUSED_S + 1 / fps + 1e-6
    delay_s = thrifty.first(int(comes_off), changed_s) - plain.first(int(comes_off), changed_s)
    assert delay_s <= REUSED_S + 2 / fps + 1e-6


def test_who_stands_there_is_judged_in_every_third_picture() -> None:
    played = Play(lambda _: [wearing(standing(200), MISSING)], 5, 20, Thrift())
    assert 30 <= len(played.judged) <= 40
    assert all(found[0].gear == {Gear.HELMET: MISSING} for _, found, _ in played.told)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([WORN, MISSING, MISSING, MISSING, UNKNOWN]), min_size=60, max_size=60))
def test_nothing_is_said_again_unless_three_answers_agree(answers: list[Wearing]) -> None:
    played = Play(lambda now_s: [wearing(standing(200), answers[round(now_s * 5)])], 5, 11.8, Thrift())
    judged = {at_s for at_s, _ in played.judged}
    real = [answers[round(at_s * 5)] for at_s, _, _ in played.told if at_s in judged]
    seen = 0
    for at_s, found, _ in played.told:
        if at_s in judged:
            seen += 1
        else:
            last = real[max(0, seen - 3) : seen]
            assert len(last) == 3 and set(last) == {found[0].wears(Gear.HELMET)} and UNKNOWN not in last


@settings(max_examples=25, deadline=None)
@given(st.floats(20, 250), st.floats(0, 40), st.sampled_from([4.0, 5.0, 10.0]))
def test_nobody_who_passes_another_gets_the_other_ones_helmet(speed: float, lower: float, fps: float) -> None:
    """Pixels per second; people are 100 high, so that 250 is a sprint."""

    def truth(now_s: float) -> list[Detection]:
        walks = wearing(standing(50 + speed * now_s, 300 + lower), WORN)
        return [walks, wearing(standing(320), MISSING)]

    played = Play(truth, fps, min(8.0, 500 / speed), Thrift())
    wrong = sum(
        found[0].wears(Gear.HELMET) is MISSING or found[1].wears(Gear.HELMET) is WORN for _, found, _ in played.told
    )
    assert not wrong
