"""The vision worker: a process of its own for one camera, so that a codec or a model cannot take the siren with it.

``python -m models.worker`` reads one JSON line with the camera's options on stdin and reports on stdout (models.wire).
It ends with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

# Before anything loads the libraries: no telemetry; a USB camera that gives nothing for 3 s is lost.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = "3"

import cv2

from agent.core.errors import ConfigError
from models.budget import LEAST_FPS, is_sparse
from models.bundle import load_bundle
from models.capture import Frame, Grabber, Slot
from models.cropping import cropped
from models.display import Display
from models.engines import SAFE, Engine, engine_of
from models.inference import Vision, golden_faults
from models.keeping import SPARE_S, Keeper, Order
from models.looking import Looker
from models.options import CameraOptions
from models.pace import Pace
from models.privacy import faces
from models.proof import Proof
from models.ring import Ring
from models.running import ModelFault
from models.scene import Judgement, Scene
from models.trust.faults import WORDS, Effect, PictureFault
from models.trust.memory import Memory
from models.trust.watch import TrustWatch
from models.wire import Kept, Report, send

FRESH_S = 2.0
_PAUSE_S = 0.5
_STUCK_S = 5.0
"""Beyond the limits of asking, opening and reading a source, after which the library does not come back."""
_RATE_WINDOW_S = 5.0
_PAUSED_STEP_S = 1.0
PAUSED = "paused: the budget of vision is too small for all cameras"
_NICE = 5
MOST_FAULTS = 3
_PR_SET_PDEATHSIG = 1


class Worker:
    """Judges the newest frame at the asked pace and reports; says so when it is blind."""

    def __init__(self, options: CameraOptions, vision: Vision, out: BinaryIO, memory: Memory) -> None:
        whole, options = options, cropped(options)
        self._options, self._vision, self._out = options, vision, out
        self._slot = Slot()
        self._scene = Scene(options.watched, vision.sure, options.lines, options.things)
        self._looker, self._display = Looker(whole, vision, self._scene), Display(options)
        self._memory, self._effects = memory, options.effects
        self._trust = TrustWatch(self._effects, options.fps, memory.load())
        self._accepted = threading.Event()
        self._faults: frozenset[PictureFault] = frozenset()
        self._pace, self._granted = Pace(1 / options.fps), options.fps
        self._looked_s = 0.0
        self._judged: deque[float] = deque()
        self._last_taken_s = time.monotonic()
        self._skipped = self._borne = 0
        self._proofs: deque[Proof] = deque()
        self._handing: deque[dict[str, Any]] = deque()
        self._kept: deque[Kept] = deque()
        self._ring = Ring(options.clip_before + options.clip_after + SPARE_S)
        self._keeper = Keeper(options, self._ring, vision.ready.ref, self._kept.append)

    def keep(self, order: Order) -> None:
        """Keep evidence, in a thread of its own; may be called from any thread."""
        self._keeper.order(order)

    def prove(self, proof: Proof) -> None:
        """Judge a golden picture between the camera's own, one look at a time; may be called from any thread."""
        self._proofs.append(proof)

    def accept(self) -> None:
        """Take the view as it is now for the right one; may be called from any thread."""
        self._accepted.set()

    def grant(self, fps: float) -> None:
        """Judge so many pictures a second from now on, none for 0; may be called from any thread."""
        self._granted = fps
        self._pace.change(1 / fps if fps else _PAUSED_STEP_S)

    def hand(self, order: dict[str, Any]) -> None:
        """Hand over, or take over, between two pictures; may be called from any thread."""
        self._handing.append(order)

    def run(self) -> None:
        """Work until killed."""
        Grabber(self._options, self._slot).start()
        self._keeper.start()
        while True:
            self._pace.wait()
            self._see()
            self._go_on_proving()
            while self._kept:
                send(self._out, None, kept=self._kept.popleft())
            self._go_on_handing()
            self._remember()

    def _see(self) -> None:
        """Take the newest picture and report."""
        granted = self._granted
        if not granted:
            self._looker.forget()
            now_s = time.monotonic()
            self._report(Report(PAUSED, self._fps(now_s), now_s, is_pictured=False))
            return
        self._trust.ask(granted)
        frame = self._slot.take(_PAUSE_S)
        if frame is None:
            self._without_frame()
        else:
            began_s = time.process_time()
            self._with_frame(frame)
            self._looked_s += time.process_time() - began_s

    def _remember(self) -> None:
        if self._accepted.is_set():
            self._accepted.clear()
            self._trust.accept()
        if self._trust.changed:
            self._memory.save(self._trust.saved())

    def _go_on_proving(self) -> None:
        """Take one look, so that the camera's own pictures wait for one look at most."""
        if self._proofs and self._proofs[0].look():
            proof = self._proofs.popleft()
            report = self._told(proof.seen, time.monotonic())
            send(self._out, replace(report, counters=self._counters(), proof=proof.name))

    def _go_on_handing(self) -> None:
        while self._handing:
            order, now_s = self._handing.popleft(), time.monotonic()
            if "take_over" in order:
                self._take_over(order["take_over"])
                send(self._out, Report("", self._fps(now_s), now_s, took_over=True))
            else:
                send(self._out, Report("", self._fps(now_s), now_s, memory=self._scene.hand_over()))

    def _take_over(self, memory: dict[str, Any]) -> None:
        """Ends the process with the reason when it cannot: the worker before it goes on."""
        try:
            self._scene.take_over(memory)
        except ValueError as error:
            sys.exit(f"it cannot go on where the worker before it ended: {error}")
        self._looker.forget()

    def _without_frame(self) -> None:
        now_s = time.monotonic()
        if now_s - self._last_taken_s < FRESH_S + 1 / (self._granted or LEAST_FPS):
            send(self._out, None)
            return
        if now_s - self._slot.turned_s > 4 * self._options.timeout + _STUCK_S:
            sys.exit("the video library hangs; it begins anew")
        why = self._slot.why or f"no picture for {now_s - self._last_taken_s:.0f} s"
        self._report(Report(why, self._fps(now_s), now_s, is_pictured=False))

    def _with_frame(self, frame: Frame) -> None:
        if time.monotonic() - frame.taken_s > FRESH_S:
            self._skipped += 1
            self._without_frame()
            return
        frame = self._looker.cut(frame)
        self._last_taken_s = frame.taken_s
        self._faults = self._trust.see(frame.picture, frame.taken_s, self._looker.empty)
        blind = self._reason(Effect.BLIND)
        if blind:
            self._looker.forget()
            self._ring_blind(frame)
            self._report(Report(blind, self._fps(frame.taken_s), frame.taken_s))
        else:
            self._judge(frame, self._reason(Effect.ZONES))

    def _reason(self, effect: Effect) -> str:
        """Return in words the faults that do this to the facts."""
        return "; ".join(WORDS[fault] for fault in sorted(self._faults) if self._effects[fault] is effect)

    def _judge(self, frame: Frame, blind: str) -> None:
        """Judge a picture; with ``blind`` people may see it, but its facts count for nothing."""
        began_s = time.monotonic()
        try:
            look, is_new = self._looker.newest(frame)
        except ModelFault as fault:  # no answer is no "nobody there"
            self._looker.forget()
            self._bear(fault)
            self._ring_blind(frame)
            self._report(Report(str(fault), self._fps(frame.taken_s), frame.taken_s, model_fault=True))
            return
        self._borne = 0
        judgement = self._scene.judge(look.present, look.size[1], look.size[0], frame.taken_s)
        took_ms = round((time.monotonic() - began_s) * 1000, 1)
        if is_new:
            self._looker.learn(look, calm=not judgement.unsettled and self._scene.is_steady)
        self._judged.append(frame.taken_s)
        report = replace(
            self._told(judgement, frame.taken_s),
            blind=blind,
            unsettled=judgement.unsettled,
            took_ms=took_ms if is_new else 0.0,
            more=dict(judgement.more),
            unsure=tuple(judgement.unsure),
            sparse=is_sparse(self._options.fps, self._granted, self._fps(frame.taken_s)),
        )
        self._report(report, self._display.drawn(frame, look.found, judgement) if is_new else b"")
        if self._ring.is_due(frame.taken_s):
            self._ring.put(frame.picture, frame.taken_s, time.monotonic(), faces(look.found), judgement)

    def _bear(self, fault: ModelFault) -> None:
        """End when an engine fails again and again that is not the one that every machine has: it may do better."""
        self._borne += 1
        if self._borne >= MOST_FAULTS and self._vision.engine != SAFE:
            sys.exit(f"{self._vision.engine}: {fault}")

    def _told(self, seen: Judgement, at_s: float) -> Report:
        """Return a report of who was counted at ``at_s``."""
        zones = {name: count.as_dict() for name, count in seen.zones.items() if name}
        return Report("", self._fps(at_s), at_s, seen.whole.as_dict(), zones)

    def _ring_blind(self, frame: Frame) -> None:
        """Keep for a clip what nobody was looked for in."""
        if self._ring.is_due(frame.taken_s):
            self._ring.put(frame.picture, frame.taken_s, time.monotonic(), None, None)

    def _report(self, report: Report, jpeg: bytes = b"") -> None:
        """Add what every report has."""
        faults = tuple(sorted(self._faults))
        told = replace(report, counters=self._counters(), faults=faults, advice=self._slot.advice)
        told = replace(told, asked=self._options.fps, granted=self._granted)
        send(self._out, replace(told, cpu_s=time.process_time(), looked_s=self._looked_s), jpeg)

    def _fps(self, now_s: float) -> float:
        while self._judged and self._judged[0] < now_s - _RATE_WINDOW_S:
            self._judged.popleft()
        if len(self._judged) < 2:
            return 0.0
        return round((len(self._judged) - 1) / max(now_s - self._judged[0], 1e-3), 2)

    def _counters(self) -> dict[str, int]:
        slot = self._slot
        return {
            "received": slot.received,
            "replaced": slot.replaced,
            "inferred": self._looker.inferred,
            "gated": self._looker.gated,
            "skipped": self._skipped + slot.drained,
        }


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent is gone; go at once if it is already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the agent is gone")


def load(options: CameraOptions, engine: Engine, cache: Path | None) -> Vision:
    """Verify the bundle, load it, try it on its golden cases. Ends the process with the reason when it is not fit."""
    try:
        bundle = load_bundle(options.bundle)
        vision = Vision(bundle, engine, cache)
        faults = golden_faults(bundle, vision)
    except ConfigError as error:
        sys.exit(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a runtime throws at a network it cannot run
        sys.exit(f"model {options.bundle} cannot be run: {error}")
    if faults:
        sys.exit(f"model {bundle.title} does not give its golden answers: {'; '.join(faults)}")
    vision.tune(options.person_threshold, options.helmet_threshold, options.vest_threshold)
    return vision


def die_of(fault: threading.ExceptHookArgs) -> None:
    """End the process when one of its threads dies: a worker without a grabber would be blind for ever."""
    sys.__excepthook__(fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    """Run one camera."""
    order = json.loads(sys.stdin.readline())
    die_with(order["parent"])
    threading.excepthook = die_of
    with suppress(PermissionError):  # a sandbox may forbid it; the alarms have a process of their own anyway
        os.nice(order.get("nice", _NICE))
    cv2.setNumThreads(1)
    options = CameraOptions.model_validate(order["camera"])
    cache = Path(order["cache"]) if order.get("cache") else None
    vision = load(options, engine_of(order.get("engine", {})), cache)
    send(sys.stdout.buffer, None, ready=vision.ready)
    memory = Memory(Path(order["memory"]) if order.get("memory") else None, options)
    worker = Worker(options, vision, sys.stdout.buffer, memory)
    threading.Thread(target=_obey, args=(worker, options, vision), name="orders", daemon=True).start()
    worker.run()


def _obey(worker: Worker, options: CameraOptions, vision: Vision) -> None:
    """Take orders while the agent is there: each line asks for one thing (see models/session.py)."""
    bundle = load_bundle(options.bundle)
    for line in sys.stdin:
        order = json.loads(line)
        if "evidence" in order:
            worker.keep(Order.read(order["evidence"]))
        elif "accept" in order:
            worker.accept()
        elif "pace" in order:
            worker.grant(order["pace"])
        elif "proof" in order:
            worker.prove(Proof(bundle, vision, options.watched))
        else:
            worker.hand(order)


if __name__ == "__main__":
    main()
