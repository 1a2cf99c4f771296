"""Labels of real models, in the spellings of their data sets, mean what they should."""

from __future__ import annotations

import pytest

from models.vocabulary import Gear, Meaning, Thing, meaning


@pytest.mark.parametrize(
    ("label", "canonical"),
    [
        *((label, "helmet") for label in ("Hardhat", "helmet", "hard_hat", "With Helmet", "安全帽", "佩戴安全帽")),
        *(
            (label, "no_helmet")
            for label in ("NO-Hardhat", "no_helmet", "without helmet", "未戴安全帽", "未佩戴安全帽")
        ),
        *((label, "no_vest") for label in ("NO-Safety Vest", "no vest", "not-wearing-vest", "未穿反光衣")),
        *((label, "no_mask") for label in ("NO-Mask", "without_mask", "未戴口罩")),
        *((label, "vehicle") for label in ("vehicle", "machinery", "Forklift", "叉车")),
        *((label, "person") for label in ("Person", "worker", "人员")),
        *((label, "smoking") for label in ("smoking", "Cigarette", "抽烟")),
        *((label, "fallen") for label in ("fall", "Fall-Down", "跌倒")),
        *((label, "harness") for label in ("Safety Harness", "安全带")),
        *((label, "no_harness") for label in ("no harness", "未系安全带")),
    ],
)
def test_usual_labels_are_known(label: str, canonical: str) -> None:
    assert str(meaning(label)) == canonical


@pytest.mark.parametrize("label", ["", "Safety Cone", "no", "nozzle", "notebook", "head", "no person", "noise"])
def test_what_is_not_known_is_not_guessed(label: str) -> None:
    assert meaning(label) is None


@pytest.mark.parametrize("thing", Thing)
def test_every_canonical_thing_means_itself(thing: Thing) -> None:
    assert meaning(thing) == Meaning(thing=thing)


@pytest.mark.parametrize("gear", Gear)
def test_every_canonical_gear_means_itself_and_its_absence(gear: Gear) -> None:
    assert meaning(gear) == Meaning(gear=gear)
    assert meaning(f"no_{gear}") == Meaning(gear=gear, worn=False)
