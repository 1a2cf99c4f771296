"""What a camera's networks run on: pure choice, the runtime at its boundary, and a driver that breaks."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock import ManualClock
from models.detection import Offer
from models.enginebook import EngineBook
from models.engines import SAFE, Chosen, Engine, Tried, choose
from models.inference import Vision
from models.opening import NotOpened, open_session
from models.options import BUNDLED
from models.providers import Provider, chain, installed, offered, pin_fault
from models.running import ModelFault
from models.session import CameraSession
from models.starting import Starter
from models.trust.memory import Memory
from models.worker import Worker
from tests.models.cameras import camera

PPE = BUNDLED / "ppe"
INT8 = Engine(precision="int8")
CUDA, TENSORRT, OPENVINO = (Engine(each) for each in (Provider.CUDA, Provider.TENSORRT, Provider.OPENVINO))


def test_only_what_is_on_the_list_is_used_in_its_order() -> None:
    names = ["CPUExecutionProvider", "AzureExecutionProvider", "CUDAExecutionProvider", "NewExecutionProvider"]
    assert offered(names) == (Provider.CUDA, Provider.CPU)


def test_what_is_installed_is_told_from_files(tmp_path: Path) -> None:
    capi = tmp_path / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    assert installed([str(tmp_path)]) == (Provider.CPU,)
    (capi / "libonnxruntime_providers_openvino.so").touch()
    assert installed(["/nowhere", str(tmp_path)]) == (Provider.OPENVINO, Provider.CPU)
    assert pin_fault("openvino", installed([str(tmp_path)])) == pin_fault("auto", ()) == ""
    assert pin_fault("cuda", installed([str(tmp_path)])).startswith(
        "the runtime that is installed does not offer cuda, only openvino, cpu; install onnxruntime-gpu ("
    )


def test_a_gpu_keeps_full_precision_and_its_compiled_networks(tmp_path: Path) -> None:
    (name, tensorrt), (cuda_name, cuda), (last, _) = chain(Provider.TENSORRT, tmp_path)
    assert (name, cuda_name, last) == (
        "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider",
    )  # fmt: skip
    assert tensorrt["trt_engine_cache_path"] == str(tmp_path / "tensorrt") and tensorrt["trt_fp16_enable"] == "0"
    assert cuda["use_tf32"] == "0" and int(cuda["gpu_mem_limit"]) == 1 << 30
    (_, openvino), _ = chain(Provider.OPENVINO, tmp_path, gpu=True)
    assert openvino["device_type"] == "GPU" and openvino["precision"] == "FP32"


def tried(engine: Engine, look_ms: float, alike: float = 1.0, fault: str = "") -> Tried:
    return Tried(engine, look_ms, alike, fault)


@pytest.mark.parametrize(
    ("others", "wanted", "chosen"),
    [
        ([], "auto", Chosen(SAFE)),
        ([tried(INT8, 20)], "auto", Chosen(INT8)),
        ([tried(INT8, 37)], "auto", Chosen(SAFE)),  # not worth it
        ([tried(INT8, 20, alike=0.9)], "auto", Chosen(SAFE)),
        ([tried(INT8, 20), tried(CUDA, 5)], "auto", Chosen(CUDA)),
        ([tried(INT8, 20), tried(CUDA, 5)], "cpu", Chosen(INT8)),
        (
            [tried(TENSORRT, 0, fault="it was not ready within 120 s"), tried(CUDA, 5)],
            "auto",
            Chosen(CUDA, "tensorrt fp32: it was not ready within 120 s"),
        ),
        (
            [tried(CUDA, 5, alike=0.5)],
            "cuda",
            Chosen(SAFE, "cuda fp32: it sees 50% of what cpu fp32 sees, at least 95% must be alike"),
        ),
        (
            [tried(OPENVINO, 60)],
            "auto",
            Chosen(SAFE, "openvino fp32: a picture takes 60 ms, 40 ms on cpu fp32"),
        ),
        ([], "cuda", Chosen(SAFE, "cuda was not tried; install onnxruntime-gpu (docs/accelerators.md)")),
    ],
)
def test_the_choice(others: Sequence[Tried], wanted: str, chosen: Chosen) -> None:
    assert choose([tried(SAFE, 40), *others], wanted) == chosen


@given(
    st.lists(
        st.builds(
            Tried,
            st.builds(Engine, st.sampled_from(Provider), st.sampled_from(("fp32", "int8"))),
            st.floats(1, 100),
            st.floats(0, 1),
            st.sampled_from(("", "", "it broke")),
        ),
        max_size=8,
        unique_by=lambda each: each.engine,
    ),
    st.sampled_from(("auto", *Provider)),
)
def test_nothing_is_chosen_that_failed_differs_or_was_not_allowed(found: list[Tried], wanted: str) -> None:
    found = [each for each in found if each.engine != SAFE] + [tried(SAFE, 40)]
    chosen = choose(found, wanted)
    (own,) = [each for each in found if each.engine == chosen.engine]
    assert own.engine == SAFE or (own.fault == "" and own.alike >= 0.95)
    assert own.look_ms <= 40
    assert wanted in ("auto", chosen.engine.provider) or (chosen.engine.provider is Provider.CPU and chosen.reason)


class FakeSession:
    """Stands for the runtime's session: no machine of ours has a GPU."""

    opened: ClassVar[list[tuple[list[str], list[dict[str, Any]]]]] = []
    got = "CUDAExecutionProvider"

    def __init__(self, path: str, options: Any, providers: list[str], provider_options: list[dict[str, Any]]) -> None:
        self.opened.append((providers, provider_options))

    def get_providers(self) -> list[str]:
        return [self.got, "CPUExecutionProvider"]

    def disable_fallback(self) -> None:
        """The runtime's: never change the provider while it runs."""


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeSession]]:
    names = ["CUDAExecutionProvider", "AzureExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: names)
    monkeypatch.setattr("onnxruntime.InferenceSession", FakeSession)
    monkeypatch.setattr(FakeSession, "opened", [])
    yield FakeSession


def test_a_session_gets_the_provider_that_was_chosen(gpu: type[FakeSession], tmp_path: Path) -> None:
    open_session("x.onnx", Provider.CUDA, tmp_path)
    ((names, settings),) = gpu.opened
    assert names == ["CUDAExecutionProvider", "CPUExecutionProvider"] and settings[0]["use_tf32"] == "0"


def test_a_runtime_that_went_over_to_another_provider_without_a_word_is_found_out(
    gpu: type[FakeSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "got", "CPUExecutionProvider")
    with pytest.raises(NotOpened, match=r"cuda did not take x[.]onnx; its driver is missing, too old or broken"):
        open_session("x.onnx", Provider.CUDA)
    with pytest.raises(NotOpened, match="does not offer tensorrt, only cuda, cpu"):
        open_session("x.onnx", Provider.TENSORRT)


async def test_a_camera_whose_gpu_does_not_work_sees_on_the_processor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    driver, book = camera(), EngineBook(tmp_path)
    driver.engines_in(tmp_path)
    assert book.write(PPE, [tried(SAFE, 40), tried(CUDA, 5)]) == ""  # as on a machine whose driver broke since
    assert driver.best() == Chosen(CUDA)
    session = await driver.connect()
    try:
        assert driver.chosen.engine == SAFE == driver.best().engine
        assert "cuda fp32: the vision worker ended with status 1: model" in driver.chosen.reason
        assert "does not offer cuda, only cpu" in driver.chosen.reason
        assert await session.read() is not None
    finally:
        await session.close()


def test_what_was_tried_on_another_machine_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = EngineBook(tmp_path)
    found = (tried(SAFE, 40), tried(INT8, 20, alike=0.97))
    book.write(PPE, found)
    assert EngineBook(tmp_path).read(PPE) == found
    monkeypatch.setattr("models.enginebook._processor", lambda: "another one, 2 cores")
    assert EngineBook(tmp_path).read(PPE) == ()
    next(tmp_path.glob("*.json")).write_text('{"machine": 3}')
    assert book.read(PPE) == ()


class Ready:
    """A worker's session that is ready at once."""

    async def ready(self) -> None:
        """Its model is loaded."""


async def test_an_engine_whose_workers_die_again_and_again_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def process(self: Starter, *_: Any) -> None:
        return None

    monkeypatch.setattr(Starter, "_process", process)
    book, clock = EngineBook(tmp_path), ManualClock()
    book.write(PPE, [tried(SAFE, 40), tried(CUDA, 5)])
    starter, options = Starter("gate", book, clock), camera()._options
    ran_on = []
    for lived_s in (5.0, 5.0, 700.0, 5.0, 5.0, 5.0, 5.0):  # the third one had recovered
        ran_on.append((await starter.start(options, lambda _: cast(CameraSession, Ready())))[1])
        clock.advance(lived_s)
        starter.ended()
    assert [str(each.engine) for each in ran_on] == ["cuda fp32"] * 6 + ["cpu fp32"]
    assert ran_on[-1].reason == "cuda fp32: its worker died 3 times, each time soon after its start"


def test_a_worker_ends_when_a_gpu_gives_no_sound_answer_and_bears_with_the_processor(tmp_path: Path) -> None:
    options = camera()._options
    for engine, ends in ((CUDA, True), (SAFE, False)):
        vision = SimpleNamespace(
            engine=engine, sure=0.45, offers=Offer(frozenset(), frozenset()), ready=SimpleNamespace(ref="x")
        )
        worker = Worker(options, cast(Vision, vision), io.BytesIO(), Memory(None, options))
        fault = ModelFault("detector.onnx failed: CUDA error 700")
        worker._bear(fault)
        worker._bear(fault)
        with pytest.raises(SystemExit, match=r"cuda fp32: .*error 700") if ends else nullcontext():
            worker._bear(fault)
