"""The budget of vision: within it, even, never below what it takes to follow people while there is enough for that."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget import FLOOR_FPS, LEAST_FPS, Need, allot, is_sparse, used
from models.rationing import BACK_S, GONE_S, HEADROOM, PAUSE_S, RISE_S, Load, Ration

NEEDS = st.builds(
    Need,
    asked=st.sampled_from([1.0, 2.0, 3.0, 5.0, 10.0, 25.0]),
    cost_s=st.floats(0.001, 0.3),
    base=st.floats(0.0, 0.1),
    weight=st.sampled_from([0.5, 1.0, 2.0]),
)
CAMERAS = st.lists(NEEDS, min_size=1, max_size=8).map(lambda needs: {f"c{n}": need for n, need in enumerate(needs)})
CORES = st.floats(0.01, 4.0)


@given(CAMERAS, CORES)
def test_what_is_allotted_stays_within_the_budget(needs: dict[str, Need], cores: float) -> None:
    paces = allot(needs, cores)
    bases = sum(need.base for need in needs.values())
    assert used(needs, paces) <= max(cores, bases) + 1e-9
    for name, need in needs.items():
        assert paces[name] == 0 or need.least <= paces[name] <= need.asked


@given(CAMERAS, CORES)
def test_nobody_is_below_its_floor_while_another_is_above_its_own(needs: dict[str, Need], cores: float) -> None:
    paces = allot(needs, cores)
    seeing = {name: need for name, need in needs.items() if paces[name]}
    above = any(paces[name] > need.floor for name, need in seeing.items())
    assert not above or all(paces[name] >= need.floor for name, need in seeing.items())
    floors = sum(need.cores(need.floor) for need in needs.values())
    if floors <= cores:
        assert all(paces[name] >= need.floor for name, need in needs.items())


@given(CAMERAS, CORES)
def test_nobody_is_paused_where_there_is_enough_for_all(needs: dict[str, Need], cores: float) -> None:
    paces = allot(needs, cores)
    if sum(need.cores(need.least) for need in needs.values()) <= cores:
        assert all(paces.values())
    for name, need in needs.items():  # and whoever is paused would not fit into what the more urgent leave
        urgent = {other: each for other, each in needs.items() if paces[other] and each.weight > need.weight}
        left = cores - sum(each.base for each in needs.values())
        left -= sum(each.least * each.cost_s for each in urgent.values())
        equals = sum(each.least * each.cost_s for other, each in needs.items() if each.weight == need.weight)
        assert paces[name] or equals > left - 1e-9


@given(CAMERAS, CORES)
def test_equals_get_the_same_share_and_the_urgent_no_less(needs: dict[str, Need], cores: float) -> None:
    paces = allot(needs, cores)
    seeing = {name: need for name, need in needs.items() if paces[name]}
    shares = {name: paces[name] / need.asked / need.weight for name, need in seeing.items()}
    free = [share for name, share in shares.items() if seeing[name].floor < paces[name] < seeing[name].asked]
    assert max(free, default=0.0) - min(free, default=0.0) <= 1e-6
    for name, need in seeing.items() if free else ():  # only a bound keeps somebody from that share
        assert paces[name] != need.floor or need.floor == need.asked or shares[name] >= free[0] - 1e-6
        assert paces[name] != need.asked or need.asked == need.floor or shares[name] <= free[0] + 1e-6


@given(CAMERAS, CORES, st.floats(1.0, 2.0))
def test_more_cores_never_give_anybody_less(needs: dict[str, Need], cores: float, times: float) -> None:
    little, much = allot(needs, cores), allot(needs, cores * times)
    seeing = all(little.values())
    assert not seeing or all(much[name] >= little[name] - 1e-6 for name in needs)
    assert sum(map(bool, much.values())) >= sum(map(bool, little.values())) or not seeing


@given(CAMERAS)
def test_with_enough_everybody_gets_what_it_asks_for(needs: dict[str, Need]) -> None:
    enough = sum(need.cores(need.asked) for need in needs.values())
    assert allot(needs, enough + 1e-6) == {name: need.asked for name, need in needs.items()}


@pytest.mark.parametrize(
    ("asked", "granted", "judged", "sparse"),
    [
        (5.0, 5.0, 4.8, False),
        (5.0, FLOOR_FPS, 1.9, False),
        (5.0, 1.9, 1.9, True),
        (5.0, 5.0, 1.4, True),
        (5.0, 0.0, 0.0, True),
        (1.0, LEAST_FPS, 0.98, False),
        (1.0, LEAST_FPS, 0.7, True),
    ],
)
def test_too_few_pictures_to_follow_people_are_told(asked: float, granted: float, judged: float, sparse: bool) -> None:
    assert is_sparse(asked, granted, judged) is sparse


class Plant:
    """Cameras whose workers judge at the pace that they are granted, at costs that nobody is told."""

    BASE = 0.02

    def __init__(self, costs: Mapping[str, float], cores: float, noise: float = 0.0, asked: float = 5.0) -> None:
        self.ration = Ration(cores, dict.fromkeys(costs, asked))
        self.costs, self.noise, self.now_s = dict(costs), noise, 100.0
        self.weights: dict[str, float] = {}
        self.gone: set[str] = set()
        self.idle: set[str] = set()
        self.took: list[float] = []
        self.paces: list[dict[str, float]] = []
        self._random = Random(5)
        self._told = {name: Load(0.0, 0.0, 0, 0.0) for name in costs}
        self._due = dict.fromkeys(costs, 0.0)

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_s += 1.0
            self.took.append(sum(self._work(name) for name in self.costs if name not in self.gone))
            self.paces.append(dict(self.ration.decide(self.weights, self.now_s)))

    def know(self) -> None:
        """Have its costs measured already."""
        for name, cost_s in self.costs.items():
            meter = self.ration._meters[name]
            meter.cost_s, meter.base = cost_s, self.BASE

    @property
    def mean(self) -> float:
        """The cores that all took over the last 20 s."""
        return sum(self.took[-20:]) / 20

    def _work(self, name: str) -> float:
        told, idle = self._told[name], name in self.idle
        self._due[name] += 0.0 if idle else self.ration.granted[name]
        pictures = int(self._due[name])
        self._due[name] -= pictures
        looked_s = pictures * self.costs[name] * (1 + self._random.uniform(-self.noise, self.noise))
        took = self.BASE + looked_s
        told = Load(told.cpu_s + took, told.looked_s + looked_s, told.judged + pictures, self.now_s, idle)
        self._told[name] = told
        self.ration.note(name, told)
        return took


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.01, 0.15), min_size=1, max_size=6), st.floats(0.3, 2.0), st.floats(0.0, 0.04))
def test_it_settles_within_the_budget_and_does_not_swing(costs: list[float], cores: float, noise: float) -> None:
    plant = Plant({f"c{n}": cost for n, cost in enumerate(costs)}, cores, noise)
    plant.live(110)
    bases = len(costs) * Plant.BASE
    assert plant.mean <= max(cores, bases) * (1 + noise) + 0.02  # whole pictures do not end with the 20 s
    changes = sum(before != after for before, after in pairwise(plant.paces[80:]))
    assert changes <= 1


SCARCE = st.lists(st.floats(0.02, 0.1), min_size=1, max_size=4)


@settings(max_examples=20, deadline=None)
@given(SCARCE, st.floats(1.0, 1 / HEADROOM))
def test_headroom_alone_brings_nobody_below_the_floor(costs: list[float], spare: float) -> None:
    """Where all floors fit into the budget itself, facts do not get uncertain for the sake of what is held back."""
    bases = len(costs) * Plant.BASE
    plant = Plant({f"c{n}": cost for n, cost in enumerate(costs)}, (bases + FLOOR_FPS * sum(costs)) * spare + 1e-6)
    plant.know()
    plant.live(30)
    assert all(pace >= FLOOR_FPS for paces in plant.paces for pace in paces.values())
    assert plant.paces[0] == plant.paces[-1]


@settings(max_examples=20, deadline=None)
@given(SCARCE, st.floats(0.5, 0.999))
def test_nobody_is_held_just_below_the_floor_once_it_fits_with_headroom(costs: list[float], share: float) -> None:
    floors = len(costs) * Plant.BASE + FLOOR_FPS * sum(costs)
    plant = Plant({f"c{n}": cost for n, cost in enumerate(costs)}, floors / HEADROOM + 1e-6)
    plant.know()
    plant.ration.granted = dict.fromkeys(plant.costs, share * FLOOR_FPS)
    plant.live(int(RISE_S))
    assert all(pace < FLOOR_FPS for pace in plant.paces[-1].values())  # not for a moment's room
    plant.live(2)
    assert all(pace >= FLOOR_FPS for pace in plant.paces[-1].values())


@settings(max_examples=20, deadline=None)
@given(SCARCE, st.floats(0.85, 1.2), st.floats(0.0, 0.02))
def test_about_the_floor_nothing_swings(costs: list[float], room: float, noise: float) -> None:
    floors = len(costs) * Plant.BASE + FLOOR_FPS * sum(costs)
    plant = Plant({f"c{n}": cost for n, cost in enumerate(costs)}, floors * room, noise)
    plant.know()
    plant.live(120)
    shown = [min(paces.values()) >= FLOOR_FPS for paces in plant.paces[40:]]
    assert sum(before != after for before, after in pairwise(shown)) <= 1
    assert plant.mean <= floors * room * (1 + noise) + 0.03


def test_busy_cameras_are_brought_down_within_seconds_and_rise_late() -> None:
    plant = Plant({"a": 0.02, "b": 0.02}, 0.6)
    plant.live(60)
    assert plant.paces[-1] == {"a": 5.0, "b": 5.0}
    plant.costs = {"a": 0.1, "b": 0.1}  # people come
    plant.live(12)
    busy = plant.paces[-1]
    assert busy["a"] == busy["b"] < 3.5 and plant.took[-1] <= 0.7
    plant.costs = {"a": 0.02, "b": 0.02}
    plant.live(int(RISE_S) - 1)
    assert plant.paces[-1] == busy
    plant.live(90)
    assert plant.paces[-1] == {"a": 5.0, "b": 5.0}


def test_people_who_come_and_go_do_not_make_it_swing() -> None:
    plant = Plant({"a": 0.02, "b": 0.05}, 0.5)
    for second in range(300):
        plant.costs["a"] = 0.02 if second // 7 % 2 else 0.1
        plant.live(1)
    changes = sum(before != after for before, after in pairwise(plant.paces[60:]))
    assert changes <= 24 / 2  # two steps of any size in a minute


@pytest.mark.parametrize("how", ["gone", "idle"])
def test_the_share_of_who_sees_nothing_goes_to_the_rest_and_comes_back_at_once(how: str) -> None:
    plant = Plant({"a": 0.06, "b": 0.06}, 0.4)
    plant.live(60)
    before = dict(plant.paces[-1])
    assert before["a"] == before["b"] < 3.1
    getattr(plant, how).add("b")
    plant.live(int(GONE_S + RISE_S) + 2)
    alone = plant.paces[-1]
    assert alone["a"] == 5.0 and alone["b"] == before["b"]
    getattr(plant, how).clear()
    plant.live(1)
    assert plant.paces[-1]["a"] == pytest.approx(plant.paces[-1]["b"]) and plant.paces[-1]["a"] < 3.3


def test_who_is_read_by_an_urgent_rule_is_degraded_last() -> None:
    plant = Plant({"gate": 0.1, "yard": 0.1}, 0.75)
    plant.weights = {"gate": 2.0, "yard": 1.0}
    plant.live(60)
    assert plant.paces[-1]["gate"] == pytest.approx(2 * plant.paces[-1]["yard"], rel=0.01)
    plant.ration.cores = 0.3
    plant.live(60)
    assert plant.paces[-1]["gate"] >= LEAST_FPS and plant.paces[-1]["yard"] >= LEAST_FPS
    plant.ration.cores = 0.2
    plant.live(60)
    assert plant.paces[-1]["gate"] >= LEAST_FPS and plant.paces[-1]["yard"] == 0.0


def test_nobody_is_paused_for_a_moment_and_whoever_is_stays_so_for_a_while() -> None:
    plant = Plant({"gate": 0.05, "yard": 0.05}, 0.2)
    plant.live(60)
    assert plant.paces[-1] == {"gate": pytest.approx(1.5, abs=0.1), "yard": pytest.approx(1.5, abs=0.1)}
    plant.ration.cores = 0.12
    plant.live(int(PAUSE_S))
    assert plant.paces[-1] == {"gate": LEAST_FPS, "yard": LEAST_FPS}  # both are still watched
    plant.live(2)
    assert sorted(plant.paces[-1].values()) == [0.0, pytest.approx(1.48, abs=0.05)]
    plant.ration.cores = 0.5
    plant.live(int(BACK_S) - 1)
    assert 0.0 in plant.paces[-1].values()
    plant.live(3)
    assert 0.0 not in plant.paces[-1].values()


def test_what_a_model_in_shadow_takes_is_the_cameras_no_more() -> None:
    plant = Plant({"a": 0.05}, 0.3)
    plant.live(40)
    assert plant.paces[-1] == {"a": 5.0}
    for second in range(40):
        plant.ration.note_other("a", Load(0.15 * second, 0.1 * second, 2 * second, plant.now_s))
        plant.live(1)
    assert plant.paces[-1]["a"] <= (0.3 - 0.15 - Plant.BASE) / 0.05 + 0.01
    plant.live(int(GONE_S + RISE_S) + 2)
    assert plant.paces[-1] == {"a": 5.0}


def test_a_worker_that_began_anew_is_measured_from_there() -> None:
    ration = Ration(1.0, {"a": 5.0})
    for second, counted in [(0, 100), (3, 115), (4, 0), (8, 20), (12, 40), (16, 60)]:
        ration.note("a", Load(counted * 0.1 + second * 0.02, counted * 0.1, counted, float(second)))
    need = ration.needs({})["a"]
    assert 0.06 < need.cost_s < 0.1 and need.base == pytest.approx(0.02, abs=0.01)
