"""One random story of a plant, from a seed."""

from __future__ import annotations

from agent.core.model import Quality
from tests.simulation.oracle import WATCHED, Oracle
from tests.simulation.plant import POINTS, Plant

STEPS = 60
_VALUES = {
    "gas": (0.0, 10.0, 19.0, 21.0, 30.0, 39.0, 41.0, 60.0),
    "pressure": (0.5, 5.0, 11.0, 11.7, 12.0, 14.0),
    "running": (True, False),
    "persons": (0, 0, 1, 3),
}


def tell(seed: int, steps: int = STEPS) -> int:
    """Live through the story of ``seed``; AssertionError names what did not hold. Returns how much was checked."""
    plant = Plant(seed)
    oracle = Oracle(plant)
    polled: list[str] = []
    for number in range(steps):
        try:
            _happen(plant, oracle, polled)
            oracle.look()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}: {error}") from error
    return oracle.checks


def _happen(plant: Plant, oracle: Oracle, polled: list[str]) -> None:
    dice = plant.dice.random()
    if dice < 0.45:
        _sample(plant, oracle, polled)
    elif dice < 0.75:
        _wait(plant, oracle, polled)
    elif dice < 0.87:
        plant.act(plant.dice.choice(["ack", "silence", "shelve", "unshelve"]), plant.dice.choice(WATCHED).alarm)
    elif dice < 0.90:
        plant.clock.step(plant.dice.choice([-86400.0, -3600.0, -1.0, 1.0, 3600.0, 86400.0]))
    elif dice < 0.93:
        plant.reload()
    elif dice < 0.96:
        plant.confirm(plant.dice.choice([set(), {"siren"}]))
    else:
        _crash(plant, oracle, polled)


def _sample(plant: Plant, oracle: Oracle, polled: list[str]) -> None:
    point = plant.dice.choice(list(POINTS))
    oracle.seen(point)
    lost = plant.dice.random()
    if lost < 0.12:
        plant.poll(point, None)
    else:
        plant.poll(point, plant.dice.choice(_VALUES[point]), Quality.UNCERTAIN if lost < 0.15 else Quality.GOOD)
    polled[:] = [each for each in POINTS if plant.dice.random() < 0.8]


def _wait(plant: Plant, oracle: Oracle, polled: list[str]) -> None:
    """Time passes in short steps, so that the oracle sees what the agent sees."""
    for _ in range(plant.dice.choice([1, 1, 2, 5, 15])):
        plant.pass_time(plant.dice.choice([0.1, 0.5, 1.0]), polled, oracle)
        oracle.look()


def _crash(plant: Plant, oracle: Oracle, polled: list[str]) -> None:
    lost = plant.dice.choice([0, 0, 1, 2])
    saved = plant.crash(same_boot=plant.dice.random() < 0.6, lost=min(lost, len(plant.disk.commits)))
    polled.clear()
    oracle.restarted(saved)
