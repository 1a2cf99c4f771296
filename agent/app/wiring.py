"""Builds the running agent from a plan, and runs it: nothing here decides anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import structlog

from agent.annunciation import Annunciator
from agent.annunciation.buttons import watched
from agent.annunciation.start import Start
from agent.api import serve
from agent.app.commands import Remote, recall
from agent.app.gateway import Gateway
from agent.app.memories import Memories
from agent.app.modelsets import ModelSets, ModelStore
from agent.app.modelsets.offers import Offers
from agent.app.offering import offers
from agent.app.parts import Parts
from agent.app.plan import Plan, compile_rules
from agent.app.restoring import Restoring
from agent.app.rulesets import Active, RuleSets, RuleStore
from agent.app.sparkplug import edge
from agent.app.trials import Trials
from agent.app.vision import VisionBudget
from agent.commands import Desk
from agent.core.clock import SystemClock
from agent.core.model import Sample, Value
from agent.core.ports import Driver, Witness
from agent.evidence import Evidence
from agent.evidence.store import EvidenceStore
from agent.facts import FactTable
from agent.health import Health
from agent.journal import Identity, Journal
from agent.memory import tidy
from agent.notify import notify
from agent.outputs import Heartbeat, Output, OutputBus
from agent.pipeline import Pipeline
from agent.reports import device_event, gateway_event
from agent.runner import Runner
from agent.site import DeviceConfig, Site
from agent.sparkplug.asking import Asking
from agent.supervisor import Leaf, scope
from agent.ticker import Ticker
from agent.uplink import Uplink
from agent.version import VERSION
from models.camera import CameraDriver
from models.options import HEALTH
from models.signers import Signers
from rules.engine import Engine

log = structlog.get_logger(__name__)


class Agent:
    """One running site. Shutdown goes from the inside out: sources, then outputs, then uplink and API."""

    def __init__(self, plan: Plan, state: Path, socket: Path, store: RuleStore) -> None:
        site, clock = plan.site, SystemClock()
        self.clock, self.socket = clock, socket
        options = site.gateway
        who = Identity(options.id, options.site, options.area, VERSION, site.revision, plan.bundle.revision)
        sends = site.uplink is not None
        confirms = site.uplink is not None and site.uplink.watermark
        self.journal = Journal(state / "journal.db", who, clock, sends, site.journal, confirms)
        engine = Engine(plan.rules)
        self.outputs = plan.outputs
        kinds = {output.name: output.kind for output in self.outputs}
        self.annunciator = Annunciator(kinds, plan.backups, self._wake_outputs, plan.annunciation)
        facts = FactTable(plan.points.values())
        self.pipeline = Pipeline(facts, engine, self.annunciator, self.journal, clock, site.policy)
        self.pipeline.watched = watched(site.buttons, self.pipeline)
        self.start = Start(plan.start_modes(), plan.inputs_by_output(), facts.is_known, clock.now().mono_s)
        self.annunciator.forced = self.start.forced
        self.ticker = Ticker(self.pipeline, clock)
        self.buses = [self._bus(*parts) for parts in plan.output_buses()]
        self.runners = {
            device: Runner(device, driver, clock, self.pipeline.ingest, self._on_link)
            for device, driver in plan.drivers.items()
        }
        active = Active(plan.bundle, plan.rules, engine)
        check, around = partial(compile_rules, site, plan.points), plan.surroundings()
        self.rules = RuleSets(active, site.rules, check, store, self.pipeline, self.journal, clock, around)
        self.memories = Memories(self.pipeline, self.journal)
        self.restoring = Restoring(self.pipeline, self.journal, self.memories, clock)
        self.evidence = self._evidence(plan, state / "evidence")
        self.uplink = Uplink(site.uplink, self.journal, who, clock, self.evidence.attach) if site.uplink else None
        self.edge = edge(plan, self.pipeline, self.runners, self.journal, clock, state)
        self.health = self._health(plan)
        parts = Parts(clock, self.journal, self.pipeline, self.buses, self.runners, self.uplink, self.health, self.edge)
        self.trials = Trials(plan, self.pipeline, self.journal, clock, state)
        cameras = {id_: cast(CameraDriver, plan.drivers[id_]) for id_ in site.cameras}
        self.vision = VisionBudget(site.vision.cores, cameras, lambda: self.pipeline.engine, clock)
        self.models, self.offers = self._model_sets(site, cameras, state / "models")
        self.gateway = Gateway(plan, parts, self.trials, self.rules, self.evidence, self.models)
        self._parts = parts
        self._hear_commands(site)

    def _model_sets(
        self, site: Site, cameras: dict[str, CameraDriver], folder: Path
    ) -> tuple[ModelSets, Offers | None]:
        signers = Signers(site.models.trusted_keys)
        store = ModelStore(folder, signers)
        models = ModelSets(cameras, store, self.pipeline, self.journal, self.clock)
        offered = offers(site, models, store, signers, self.journal, self.clock)
        if offered is not None:
            models.offered = offered.row
        return models, offered

    def _hear_commands(self, site: Site) -> None:
        """Let the uplink hear commands from above, and Sparkplug bring them to the same desk, if the site wants it."""
        if self.uplink is None or site.uplink is None or site.uplink.commands is None:
            return
        remote = Remote(self.gateway, self._parts, self.evidence, self.offers)
        self.uplink.desk = Desk(site.gateway.id, site.uplink.commands, remote, self.journal, self.clock)
        if self.edge is not None and site.sparkplug is not None and site.sparkplug.commands:
            self.edge.asking = Asking(self.uplink.desk.take, self._says)

    def _health(self, plan: Plan) -> Health:
        return Health(
            self.pipeline,
            self.buses,
            self._uplink_values,
            lambda: self.journal.stats,
            {id_: plan.drivers[id_].points for id_ in plan.site.devices},
            self.clock,
            self._in_step,
            self._sparkplug_online if self.edge is not None else None,
        )

    def _evidence(self, plan: Plan, folder: Path) -> Evidence:
        cameras = {id_: plan.drivers[id_] for id_ in plan.site.cameras}
        witnesses = {id_: driver for id_, driver in cameras.items() if isinstance(driver, Witness)}
        engine = lambda: self.pipeline.engine.definitions  # noqa: E731 - the engine changes with the rules
        store, options = EvidenceStore(folder), plan.site.evidence
        return Evidence(store, options, witnesses, engine, self.journal, self.clock, HEALTH)

    def _bus(self, device: DeviceConfig, driver: Driver, outputs: list[Output]) -> OutputBus:
        point = device.options.heartbeat
        heartbeat = Heartbeat(f"{device.id}.{point}", self.pipeline.is_alive) if point else None
        refresh = device.options.refresh
        wanted, held = (lambda: self.annunciator.wanted), self.start.is_held
        return OutputBus(device.id, driver, outputs, wanted, self.clock, heartbeat, refresh, held)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set."""
        with self.journal:
            await self.restoring.at_start()
            self.gateway.operations.prepare()
            await self.models.prepare()
            if self.offers is not None:
                await self.offers.load()
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(serve(self.gateway, self.socket))
                await stack.enter_async_context(scope(self._outer()))
                await stack.enter_async_context(self._driving())
                await stack.enter_async_context(scope(self._sources()))
                self._record("started", {"config": self.gateway.config_revision})
                notify("READY=1")
                log.info(
                    "started",
                    devices=len(self.runners),
                    alarms=len(self.pipeline.engine.alarms),
                    socket=str(self.socket),
                )
                await stop.wait()
                notify("STOPPING=1")
                self._record("stopping", {})
            await self.memories.save_all()
        log.info("stopped")

    def _outer(self) -> Iterable[Leaf]:
        yield Leaf("memory", tidy)
        yield Leaf("figures", self.gateway.operations.run)
        yield Leaf("coverage", self.gateway.cameras.run)
        yield Leaf("vision budget", self.vision.run)
        if self.edge is not None:
            yield Leaf("sparkplug", self.edge.run)
            yield Leaf("sparkplug commands", self.edge.commands.run)
            if self.edge.asking is not None:
                yield Leaf("sparkplug asking", partial(self._ask, self.edge.asking))
        yield Leaf("rule files", self.rules.run)
        yield Leaf("memories", self.memories.run)
        if self.restoring.is_late:
            yield Leaf("late alarms", self.restoring.run)
        yield Leaf("evidence", self.evidence.run)
        yield Leaf("models", self.models.run)
        yield Leaf("engines", self.models.tuning.run)
        if self.offers is not None:
            yield Leaf("offers", self.offers.run)
        if self.uplink is not None:
            yield Leaf("uplink", partial(self._send, self.uplink))

    async def _send(self, uplink: Uplink) -> None:
        await self._recall()
        await uplink.run()

    async def _ask(self, asking: Asking) -> None:
        await self._recall()
        await asking.run()

    async def _recall(self) -> None:
        """Nothing of the past is looked up before the alarms work; and no command is done before it is."""
        if self.uplink is not None and self.uplink.desk is not None:
            await recall(self.uplink.desk, self._parts)

    def _says(self, point: str, value: Value) -> None:
        self.pipeline.ingest([Sample.good(point, value, self.clock.now())])

    @asynccontextmanager
    async def _driving(self) -> AsyncIterator[None]:
        """Drive the outputs; at the end leave each as the site wants it."""
        leaves = [Leaf(f"outputs {bus.device}", bus.run) for bus in self.buses]
        async with scope(
            [*leaves, Leaf("rules", self.ticker.run), Leaf("health", self.health.run), *self.trials.leaves()]
        ):
            yield
        await asyncio.gather(*(bus.stop() for bus in self.buses))

    def _sources(self) -> Iterable[Leaf]:
        return [Leaf(f"device {device}", runner.run) for device, runner in self.runners.items()]

    def _wake_outputs(self) -> None:
        for bus in self.buses:
            bus.wake()

    def _on_link(self, device: str, online: bool, reason: str) -> None:
        self.journal.record([device_event(device, online, reason, self.clock.now())], ())

    def _record(self, action: str, details: dict[str, object]) -> None:
        self.journal.record([gateway_event(action, details, self.clock.now())], ())

    def _uplink_values(self) -> Iterable[tuple[str, Value]]:
        return self.uplink.values() if self.uplink is not None else [("gateway.uplink_online", False)]

    def _sparkplug_online(self) -> bool:
        return self.edge is not None and self.edge.status.online

    def _in_step(self) -> bool:
        return self.rules.in_step
