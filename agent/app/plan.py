"""From files to what shall run: site, drivers, rules, outputs; or every fault of all files at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import structlog

from agent.annunciation import Annunciation
from agent.annunciation.options import OutputOptions
from agent.annunciation.self_test import POINT as SELF_TEST
from agent.app import builtin
from agent.app.rulesets.bundle import Bundle, gather
from agent.app.rulesets.store import RuleStore
from agent.config import load_site, rule_files
from agent.core.calendars import time_zone
from agent.core.clock import SystemClock
from agent.core.errors import ConfigError, Fault
from agent.core.model import Level, PointInfo
from agent.core.options import DeviceOptions
from agent.core.ports import Driver
from agent.health import SPARKPLUG, gateway_points
from agent.outputs import Output
from agent.runner import online_point
from agent.site import DeviceConfig, Site
from agent.sparkplug.asking import asking_points
from agent.uplink import uplink_points
from drivers import REGISTRY
from models import CAMERA
from models.options import CameraOptions
from models.trust.faults import Effect, PictureFault
from rules.kinds.condition import ConditionOptions
from rules.loading import load_rules
from rules.rule import Rule
from rules.story import Surroundings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plan:
    """All that ``Agent`` needs. ``drivers`` holds devices and cameras by id."""

    site: Site
    drivers: Mapping[str, Driver]
    points: Mapping[str, PointInfo]
    rules: tuple[Rule, ...]
    outputs: tuple[Output, ...]
    backups: Mapping[str, str]
    bundle: Bundle
    """The rule files as they were read; its revision names the rules."""
    annunciation: Annunciation

    def start_modes(self) -> dict[str, str]:
        """Return ``on_start`` by output."""
        return {name: options.on_start for name, options in self.site.outputs.items()}

    def surroundings(self) -> Surroundings:
        """Return what the site lends to the tests of its rules."""
        site = self.site
        return Surroundings(self.points, tuple(site.outputs), site.calendars, time_zone(site.gateway.timezone))

    def inputs_by_output(self) -> dict[str, set[str]]:
        """Return the points that decide on each output."""
        found: dict[str, set[str]] = {name: set() for name in self.site.outputs}
        for rule in self.rules:
            if rule.definition.id in self.annunciation.faults:
                continue  # of devices and the gateway itself: what is known of them at the start says enough
            outputs = rule.definition.outputs
            joining = [name for step in rule.definition.escalation for name in step.outputs]
            for name in self.site.outputs if outputs is None else {*outputs, *joining}:
                found[name].update(rule.inputs)
        return found

    def output_buses(self) -> Iterator[tuple[DeviceConfig, Driver, list[Output]]]:
        """Yield each device that carries outputs or a heartbeat, with a driver of its own for just these."""
        for device, config in self.site.devices.items():
            outputs = [output for output in self.outputs if output.point.split(".")[0] == device]
            wired = {point.split(".", 1)[1] for output in outputs for point in (output.point, output.readback)}
            wired |= {config.options.heartbeat} if config.options.heartbeat else set()
            if wired:
                points = {name: options for name, options in config.points.items() if name in wired}
                build = config.type.build_outputs or config.type.build
                yield config, build(device, config.options, points, SystemClock()), outputs


def load_plan(path: Path, state: Path | None = None) -> Plan:
    """Read the site file and its rule files. Raises ConfigError with every fault of all of them.

    ``state`` stands in place of ``gateway.state``.
    """
    site = read_site(path, state=state)
    return _plan(site, site.rules, gather(site.rules))


def _plan(site: Site, paths: Sequence[Path], bundle: Bundle) -> Plan:
    """Plan for a site with the rules at ``paths``, which hold what ``bundle`` does. Raises ConfigError."""
    drivers = site.build(SystemClock())
    points = {point.id: point for point in _points(site, drivers)}
    rules = compile_rules(site, points, paths)
    outputs = tuple(_output(name, options) for name, options in site.outputs.items())
    backups = {name: options.backup for name, options in site.outputs.items() if options.backup}
    own = frozenset(rule.definition.id for rule in builtin.compile_builtin(_builtin(site, points), points))
    annunciation = replace(site.annunciation, faults=own)
    return Plan(site, drivers, points, rules, outputs, backups, bundle, annunciation)


def starting_plan(site: Site, store: RuleStore) -> Plan:
    """Plan for a start: the set that ran last goes on, if it still fits the site; the files come after it.

    So a rule file that was broken meanwhile does not keep the alarms from working, and what was changed
    meanwhile comes in as any other change. Raises ConfigError with the faults of the files when nothing is left.
    """
    active = store.current().active
    good = list(store.last_good())
    last = next((bundle for bundle in good if bundle.revision == active), None)
    found = _fitting(site, store, last) if last is not None else None
    if found is not None:
        return found
    try:
        return _plan(site, site.rules, gather(site.rules))
    except ConfigError:
        older = (_fitting(site, store, bundle) for bundle in good if bundle is not last)
        found = next((plan for plan in older if plan is not None), None)
        if found is None:
            raise
        return found


def _fitting(site: Site, store: RuleStore, bundle: Bundle) -> Plan | None:
    try:
        return _plan(site, store.paths(bundle), bundle)
    except ConfigError as error:
        log.warning("the rules that ran last do not fit the site", revision=bundle.revision, fault=str(error.faults[0]))
        return None


def compile_rules(site: Site, points: Mapping[str, PointInfo], paths: Sequence[Path]) -> tuple[Rule, ...]:
    """Return the rules in these files and anshao's own. Raises ConfigError with every fault."""
    written = written_rules(site, points, paths)
    generated = builtin.compile_builtin(_builtin(site, points), points)
    _refuse_clashes(site, written, generated)
    return tuple(explained(rule, site) for rule in (*written, *generated))


def written_rules(site: Site, points: Mapping[str, PointInfo], paths: Sequence[Path]) -> tuple[Rule, ...]:
    """Return the rules in these files alone. Raises ConfigError with every fault."""
    kinds = {name: options.kind for name, options in site.outputs.items()}
    return load_rules(
        paths,
        points,
        site.outputs,
        calendars=site.calendars,
        zone=time_zone(site.gateway.timezone),
        attracts=lambda priority, outputs: site.annunciation.attracts(priority, outputs, kinds),
    )


def read_site(path: Path, absent_rules: bool = False, state: Path | None = None) -> Site:
    """Read the site; if it has faults, add those of its rules that can be told without it. Raises ConfigError.

    With ``absent_rules`` a rule file that is not there is no fault of the site; ``state`` is as of ``load_site``.
    """
    try:
        return load_site(path, REGISTRY, CAMERA, absent_rules, state)
    except ConfigError as site_error:
        try:
            load_rules(rule_files(path), {}, (), known=False)
        except ConfigError as rule_error:
            raise ConfigError([*site_error.faults, *rule_error.faults]) from None
        raise


def _points(site: Site, drivers: Mapping[str, Driver]) -> Iterator[PointInfo]:
    for device, driver in drivers.items():
        yield online_point(device)
        yield from driver.points
    zones = {point.zone for driver in drivers.values() for point in driver.points if point.zone}
    yield from gateway_points(list(site.outputs), list(site.devices), sorted(zones))
    yield from uplink_points(site.uplink)
    if site.self_test is not None:
        yield PointInfo(SELF_TEST, description="the last self-test of the outputs passed")
    if site.sparkplug is not None:
        yield PointInfo(SPARKPLUG, description="the Sparkplug host is told what changes")
        yield from asking_points() if site.sparkplug.commands else ()
    for camera in site.cameras if site.proof_test is not None else ():
        yield PointInfo(f"{camera}.proof_failed", description="its last proof test failed")


def _builtin(site: Site, points: Collection[str]) -> Iterator[ConditionOptions]:
    devices = (
        rule for id_, config in site.devices.items() for rule in builtin.device_rules(id_, config.options.comms_delay)
    )
    modules = (rule for id_ in site.devices for rule in builtin.module_rules(id_, points))
    certificates = (rule for id_ in site.devices for rule in builtin.certificate_rules(id_, points))
    cameras = (builtin.camera_rule(id_, config.options.comms_delay) for id_, config in site.cameras.items())
    pictures = (
        rule for id_, config in site.cameras.items() for rule in builtin.picture_rules(id_, _effects(config.options))
    )
    paces = (rule for id_ in site.cameras for rule in builtin.pace_rules(id_))
    outputs = (builtin.output_rule(name) for name in site.outputs)
    tests = builtin.test_rules(site.self_test is not None, list(site.cameras) if site.proof_test is not None else [])
    sparkplug = builtin.sparkplug_rules() if site.sparkplug is not None else iter(())
    buttons = (builtin.button_rule(name, options.point) for name, options in site.buttons.items())
    return chain(
        devices,
        modules,
        certificates,
        cameras,
        sparkplug,
        pictures,
        paces,
        outputs,
        buttons,
        tests,
        builtin.gateway_rules(),
        builtin.uplink_rules(points) if site.uplink is not None else (),
    )


def explained(rule: Rule, site: Site) -> Rule:
    """Return a rule about missing data with the alarms that explain it: that its only device is lost, and how."""
    definition = rule.definition
    devices = {point.split(".")[0] for point in definition.inputs}
    device = next(iter(devices), "")
    about_data = definition.kind == "stale" or definition.id in (f"{device}.data", f"{device}.blind")
    if not about_data or len(devices) != 1 or device not in {**site.devices, **site.cameras}:
        return rule
    parents = _blinding(device, site) if device in site.cameras else (f"{device}.comms",)
    own = tuple(parent for parent in parents if parent != definition.id)
    return replace(rule, definition=replace(definition, parents=(*definition.parents, *own)))


def _blinding(camera: str, site: Site) -> tuple[str, ...]:
    """Return the alarms that say why a camera's facts are unknown, the one that names no cause first."""
    effects = _effects(site.cameras[camera].options)
    named = [fault for fault, effect in effects.items() if effect in (Effect.BLIND, Effect.ZONES)]
    return (f"{camera}.blind", *(f"{camera}.{fault}" for fault in named))


def _effects(options: DeviceOptions) -> Mapping[PictureFault, Effect]:
    assert isinstance(options, CameraOptions)
    return options.effects


def _refuse_clashes(site: Site, written: tuple[Rule, ...], generated: list[Rule]) -> None:
    taken = {rule.definition.id for rule in generated}
    clashes = [rule.definition.id for rule in written if rule.definition.id in taken]
    if clashes:
        text = "the alarm id {!r} is one of anshao's own; rename the rule"
        raise ConfigError([Fault(str(site.path), 1, 1, text.format(id_)) for id_ in clashes])


def _output(name: str, options: OutputOptions) -> Output:
    levels = {Level.OFF: False, Level.ON: True, **options.levels}
    on_stop = None if options.on_stop == "hold" else Level(options.on_stop)
    return Output(name, options.kind, options.point, options.readback or options.point, levels, on_stop)
