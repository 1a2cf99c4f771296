"""Several persons are judged in one run, as one by one; a network that cannot do that is asked one by one."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from models.detection import Box
from models.feeding import Array
from models.inference import Classifier, Picture
from models.opening import open_session
from models.options import BUNDLED
from models.running import ModelFault

BUNDLE = load_bundle(BUNDLED / "ppe")
BOXES = [
    Box(284, 387, 399, 572),
    Box(324, 0, 396, 197),  # whose head may be cut off
    Box(30, 30, 60, 90),  # too small to be judged
    *(Box(40 * step, 100, 40 * step + 80, 300) for step in range(9)),
]


def picture() -> Picture:
    found = cv2.imread(str(BUNDLE.path("golden/bare.jpg")))
    assert found is not None
    return np.asarray(found, np.uint8)


def test_they_are_judged_together_as_one_by_one() -> None:
    spec = BUNDLE.manifest.classifier
    assert spec is not None
    session = open_session(str(BUNDLE.path(spec.file)))
    together = Classifier(session, spec, most=8).shares(picture(), BOXES)
    alone = [Classifier(session, spec).shares(picture(), [box])[0] for box in BOXES]
    assert [each.keys() for each in together] == [each.keys() for each in alone]
    assert not together[2] and len(together[1]) == 1 and len(together[0]) == 2
    assert max(abs(a[gear] - b[gear]) for a, b in zip(together, alone, strict=True) for gear in a) < 0.001


class Stub:
    """A session that promises any number of crops, and answers the mean of each as both probabilities."""

    def __init__(self, answer: Callable[[Array], Array]) -> None:
        self.sizes: list[int] = []
        self._answer = answer

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="crops", shape=["n", 3, 192, 128], type="tensor(float)")]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="prob")]

    def run(self, _names: Any, feeds: dict[str, Array], _options: Any) -> list[Array]:
        crops = feeds["crops"]
        self.sizes.append(len(crops))
        means = crops.reshape(len(crops), -1)[:, ::997].mean(axis=1) / 255
        return [self._answer(np.stack([means, means], axis=1).astype(np.float32))]


def refuse(answer: Array) -> Array:
    if len(answer) > 1:
        raise RuntimeError("it was made for one")
    return answer


@pytest.mark.parametrize("answer", [refuse, lambda answer: answer[:1], lambda answer: answer[::-1]])
def test_a_network_that_keeps_no_promise_is_asked_one_by_one(answer: Callable[[Array], Array]) -> None:
    spec = BUNDLE.manifest.classifier
    assert spec is not None
    judge, sound = Stub(answer), Stub(lambda answer: answer)
    shares = Classifier(judge, spec, most=8).shares(picture(), BOXES)
    assert shares == Classifier(sound, spec, most=8).shares(picture(), BOXES)
    assert set(judge.sizes[-11:]) == {1} and sound.sizes[-2:] == [8, 3]


def test_fewer_answers_than_persons_are_a_fault() -> None:
    spec = BUNDLE.manifest.classifier
    assert spec is not None
    judge = Stub(lambda answer: answer[:2])
    with pytest.raises(ModelFault, match="for 8 persons"):
        Classifier(judge, spec, most=8).shares(picture(), BOXES)
