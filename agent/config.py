"""``site.yaml``: read once, validated whole, every fault at once with line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from agent.annunciation.buttons import ButtonOptions
from agent.annunciation.options import OutputOptions
from agent.annunciation.patterns import Annunciation
from agent.annunciation.section import read_annunciation
from agent.annunciation.self_test import ProofTestOptions, SelfTestOptions
from agent.core.calendars import Calendar, Window, time_zone
from agent.core.document import Document, Where, suggestion
from agent.core.errors import ConfigError, Fault
from agent.core.files import sha256_of
from agent.core.model import Level
from agent.core.options import PointOptions
from agent.core.ports import DriverType
from agent.evidence.options import EvidenceOptions
from agent.guarded import Guarded
from agent.journal.options import JournalOptions
from agent.policy import OperationOptions, Policy, ShiftOptions
from agent.site import NAME, NAME_RULE, DeviceConfig, GatewayOptions, ModelsOptions, Site, VisionOptions
from agent.sparkplug.options import SparkplugOptions
from agent.uplink.options import UplinkOptions

RESERVED = ("gateway",)
M = TypeVar("M", bound=BaseModel)
_OWN_POINTS = ("online", "confirmed", "bad_points", "watchdog_ok", "safe_mode", "certificate_days")


_SECTIONS = (
    "gateway", "operation", "shifts", "calendars", "rules", "devices", "cameras", "outputs", "annunciation",
    "buttons", "self_test", "proof_test", "evidence", "uplink", "sparkplug", "journal", "models", "vision"
)  # fmt: skip


def load_site(
    path: Path,
    protocols: Mapping[str, DriverType],
    camera: DriverType,
    absent_rules: bool = False,
    state: Path | None = None,
) -> Site:
    """Read and check a site file. Raises ConfigError with every fault.

    With ``absent_rules`` a rule file that is not there is none: whoever reads the rules will tell.
    ``state`` stands in place of ``gateway.state``, for all that is kept.
    """
    reader = _Reader(Document.load(path), path, protocols, camera, absent_rules, state)
    site = reader.read()
    if site is None or reader.faults:
        raise ConfigError(reader.faults)
    return site


def rule_files(path: Path) -> tuple[Path, ...]:
    """Return the rule files that a site names and that exist, whatever else is wrong with the site."""
    try:
        named = Document.load(path).at(("rules",))
    except ConfigError:
        return ()
    files = [path.parent / str(file) for file in named] if isinstance(named, list) else []
    return tuple(file for file in files if file.is_file())


class _Reader:
    def __init__(
        self,
        document: Document,
        path: Path,
        protocols: Mapping[str, DriverType],
        camera: DriverType,
        absent_rules: bool,
        state: Path | None,
    ) -> None:
        self.faults: list[Fault] = []
        self._absent_rules, self._state = absent_rules, state
        self._doc, self._path = document, path
        self._protocols, self._camera = protocols, camera
        self._point_names: dict[str, bool] = {}
        self._broken: set[str] = set()

    def read(self) -> Site | None:
        if not isinstance(self._doc.data, dict):
            self._fault((), "the file is empty; a site begins with gateway: and devices:")
            return None
        for key in self._doc.data:
            if key not in _SECTIONS:
                self._fault((key,), f"unknown key {key!r}{suggestion(key, list(_SECTIONS))}", at_key=True)
        if "gateway" not in self._doc.data:
            self._fault((), "'gateway' is missing; add gateway: {id: NAME, site: NAME}")
        gateway = self._model(GatewayOptions, ("gateway",)) if "gateway" in self._doc.data else None
        if gateway is not None:
            self._doc.context["state"] = self._placed(gateway).state
        models = self._model(ModelsOptions, ("models",)) or ModelsOptions()
        self._doc.context["trusted_keys"] = models.trusted_keys
        devices = {id_: device for id_ in self._names("devices") if (device := self._device(id_))}
        self._lines(devices)
        cameras = {id_: device for id_ in self._names("cameras") if (device := self._camera_at(id_))}
        outputs = {name: made for name in self._names("outputs") if (made := self._output(name))}
        self._shared(outputs, devices)
        self._backups(outputs)
        uplink = self._uplink()
        journal = self._model(JournalOptions, ("journal",)) or JournalOptions()
        rules = tuple(self._rules())
        calendars = {name: self._calendar(name, gateway) for name in self._names("calendars")}
        annunciation = self._annunciation(outputs, calendars)
        buttons = {name: each for name in self._names("buttons") if (each := self._button(name, outputs))}
        policy = self._policy(gateway)
        sparkplug = self._sparkplug(devices, outputs, buttons)
        self_test, proof_test = self._self_test(outputs), self._proof_test()
        if gateway is None:
            return None
        revision = sha256_of(self._path)[:12]
        placed = self._placed(gateway)
        evidence = self._model(EvidenceOptions, ("evidence",)) or EvidenceOptions()
        vision = self._model(VisionOptions, ("vision",)) or VisionOptions()
        own = (annunciation, buttons, policy, self_test, proof_test, journal, evidence, models, sparkplug, vision)
        return Site(self._path, revision, placed, devices, cameras, outputs, uplink, rules, calendars, *own)

    def _placed(self, gateway: GatewayOptions) -> GatewayOptions:
        here = self._path.parent.resolve()
        state = self._state.resolve() if self._state is not None else here / gateway.state
        return gateway.model_copy(update={"state": state, "socket": here / gateway.socket})

    def _device(self, id_: str) -> DeviceConfig | None:
        where: Where = ("devices", id_)
        data = self._doc.at(where)
        if not isinstance(data, dict):
            self._fault(where, f"{id_!r} must be a mapping with protocol, its options and points")
            return None
        kind = self._protocols.get(str(data.get("protocol")))
        if kind is None:
            named = data.get("protocol")
            what = "'protocol' is missing" if named is None else f"{named!r} is not a protocol"
            self._fault((*where, "protocol"), what + suggestion(str(named), list(self._protocols)))
            self._broken.add(id_)
            return None
        points = {name: point for name in self._names(*where, "points") if (point := self._point(id_, name, kind))}
        own = {key: value for key, value in data.items() if key not in ("protocol", "points")}
        options = self._model(kind.device, where, own)
        if options is None:
            return None
        if options.heartbeat is not None:
            self._heartbeat(id_, options.heartbeat)
        for name, point in points.items():
            if fault := options.point_fault(point):
                self._fault((*where, "points", name), fault)
        return DeviceConfig(id_, kind, options, points)

    def _uplink(self) -> UplinkOptions | None:
        if self._doc.data.get("uplink") is None:
            return None
        options = self._model(UplinkOptions, ("uplink",))
        try:
            if options is not None:
                options.words()
        except ConfigError as error:
            self.faults.extend(error.faults)
        return options

    def _lines(self, devices: Mapping[str, DeviceConfig]) -> None:
        """Devices on one line must want the same of it: none but the first could connect."""
        first: dict[str, tuple[str, Mapping[str, object]]] = {}
        for id_, device in devices.items():
            line, own = device.options.line()
            other, settings = first.setdefault(line, (id_, own)) if line else (id_, own)
            for key in (key for key in own if own[key] != settings.get(key)):
                what = f"{key!r} is {_shown(own[key])} here and {_shown(settings.get(key))} of {other!r}"
                what += f", and both share {line}; give devices on one line the same"
                self._fault(("devices", id_, key), what)

    def _heartbeat(self, device: str, name: str) -> None:
        known = self._point_names.get(f"{device}.{name}")
        if known is None:
            own = [point.split(".")[1] for point in self._point_names if point.startswith(f"{device}.")]
            what = f"{device!r} has no point {name!r}{suggestion(name, own)}"
        else:
            what = "" if known else f"{device}.{name} cannot be written; add 'writable: true' to the point"
        if what:
            self._fault(("devices", device, "heartbeat"), what)

    def _point(self, device: str, name: str, kind: DriverType) -> PointOptions | None:
        where: Where = ("devices", device, "points", name)
        if name in _OWN_POINTS:
            self._fault(where, f"the name {name!r} is one of anshao's own; choose another", at_key=True)
        options = self._model(kind.point, where)
        self._point_names[f"{device}.{name}"] = options is None or options.writable
        return options

    def _camera_at(self, id_: str) -> DeviceConfig | None:
        if id_ in self._names("devices", quiet=True):
            self._fault(("cameras", id_), f"the name {id_!r} is a device's already; choose another", at_key=True)
        options = self._model(self._camera.device, ("cameras", id_))
        if options is not None and (options.heartbeat is not None or options.refresh):
            self._fault(
                ("cameras", id_), "a camera is not written to; leave 'heartbeat' and 'refresh' out", at_key=True
            )
        return DeviceConfig(id_, self._camera, options, {}) if options is not None else None

    def _output(self, name: str) -> OutputOptions | None:
        where: Where = ("outputs", name)
        options = self._model(OutputOptions, where)
        if options is None:
            return None
        self._known(options.point, (*where, "point"))
        if self._point_names.get(options.point) is False:
            self._fault((*where, "point"), f"{options.point} cannot be written; add 'writable: true' to the point")
        if options.readback:
            self._known(options.readback, (*where, "readback"))
            if options.readback.split(".")[0] != options.point.split(".")[0]:
                self._fault((*where, "readback"), "read back from the device that is written to")
        return options

    def _known(self, point: str, where: Where) -> None:
        if point in self._point_names or point.split(".")[0] in self._broken:
            return
        near = suggestion(point, list(self._point_names))
        hint = near if "did you mean" in near else "; declare it under devices"
        self._fault(where, f"there is no point {point!r}{hint}")

    def _shared(self, outputs: Mapping[str, OutputOptions], devices: Mapping[str, DeviceConfig]) -> None:
        beats = {f"{id_}.{device.options.heartbeat}" for id_, device in devices.items()}
        first: dict[str, str] = {}
        for name, options in outputs.items():
            if options.point in beats:
                self._fault(("outputs", name, "point"), f"{options.point} is a heartbeat already; wire another point")
            other = first.setdefault(options.point, name)
            if other != name:
                what = f"{options.point} is the point of output {other!r} already, and they would undo each other"
                self._fault(("outputs", name, "point"), f"{what}; wire one point to one output")

    def _backups(self, outputs: Mapping[str, OutputOptions]) -> None:
        for name, options in outputs.items():
            where: Where = ("outputs", name, "backup")
            if options.backup and options.backup not in self._names("outputs", quiet=True):
                hint = suggestion(options.backup, list(outputs))
                self._fault(where, f"there is no output {options.backup!r}{hint}")
            elif name in _chain(name, outputs):
                self._fault(where, f"the backup of {name!r} leads back to itself; name another output")
            elif options.backup in outputs and outputs[options.backup].kind.sounds and not options.kind.sounds:
                self._fault(where, "a lamp cannot be backed up by a sound, which nobody could silence; name a lamp")

    def _annunciation(self, outputs: Mapping[str, OutputOptions], calendars: Mapping[str, Calendar]) -> Annunciation:
        data, faults = read_annunciation(self._doc, calendars)
        self.faults.extend(faults)
        areas = {name: options.area for name, options in outputs.items()}
        return data.for_outputs(areas, [name for name, options in outputs.items() if Level.CHIME in options.levels])

    def _button(self, name: str, outputs: Mapping[str, OutputOptions]) -> ButtonOptions | None:
        where: Where = ("buttons", name)
        options = self._model(ButtonOptions, where)
        if options is not None:
            self._known(options.point, (*where, "point"))
        self._named(options.outputs if options else (), where, outputs)
        return options

    def _self_test(self, outputs: Mapping[str, OutputOptions]) -> SelfTestOptions | None:
        if self._doc.data.get("self_test") is None:
            return None
        options = self._model(SelfTestOptions, ("self_test",))
        self._named(options.outputs if options else (), ("self_test",), outputs)
        return options

    def _proof_test(self) -> ProofTestOptions | None:
        """Points of cameras and of the gateway are not known here; what is misspelt of others is told."""
        if self._doc.data.get("proof_test") is None:
            return None
        options = self._model(ProofTestOptions, ("proof_test",))
        for point in options.assume if options else ():
            if point.split(".")[0] in self._names("devices", quiet=True):
                self._known(point, ("proof_test", "assume", point))
        return options

    def _sparkplug(
        self,
        devices: Mapping[str, DeviceConfig],
        outputs: Mapping[str, OutputOptions],
        buttons: Mapping[str, ButtonOptions],
    ) -> SparkplugOptions | None:
        if self._doc.data.get("sparkplug") is None:
            return None
        options = self._model(SparkplugOptions, ("sparkplug",))
        guarded = Guarded(devices, outputs, buttons)
        if options is not None and options.commands and not self._doc.at(("uplink", "commands")):
            hint = "add uplink: {commands: {roles: …}}, or leave it out"
            self._fault(("sparkplug", "commands"), f"nothing says who may ask for what; {hint}")
        for index, point in enumerate(options.writable if options else ()):
            where: Where = ("sparkplug", "writable", index)
            self._known(point, where)
            if self._point_names.get(point) is False:
                self._fault(where, f"{point} cannot be written; add 'writable: true' to the point")
            elif use := guarded.use_of(point):
                self._fault(where, f"{point} is {use}; a host must not write it, so leave it out")
        return options

    def _named(self, names: tuple[str, ...], where: Where, outputs: Mapping[str, OutputOptions]) -> None:
        for index, output in enumerate(names):
            if output not in self._names("outputs", quiet=True):
                hint = suggestion(output, list(outputs))
                self._fault((*where, "outputs", index), f"there is no output {output!r}{hint}")

    def _policy(self, gateway: GatewayOptions | None) -> Policy:
        asked = self._model(OperationOptions, ("operation",)) if self._doc.data.get("operation") is not None else None
        shifts = {name: made for name in self._names("shifts") if (made := self._model(ShiftOptions, ("shifts", name)))}
        reason = (asked or OperationOptions()).ack_reason
        return Policy(reason, shifts, time_zone(gateway.timezone if gateway else "UTC"))

    def _calendar(self, name: str, gateway: GatewayOptions | None) -> Calendar:
        """Read one window, or a list of them."""
        where: Where = ("calendars", name)
        data = self._doc.at(where)
        places = [(*where, index) for index, _ in enumerate(data)] if isinstance(data, list) else [where]
        if not data or not isinstance(data, dict | list):
            self._fault(where, f"{name!r} needs a window, such as {{days: mon-fri, from: 06:00, to: 22:00}}")
            places = []
        windows = tuple(window for place in places if (window := self._model(Window, place)))
        return Calendar(name, windows, time_zone(gateway.timezone if gateway else "UTC"))

    def _rules(self) -> Iterator[Path]:
        files = self._doc.data.get("rules", [])
        if not isinstance(files, list):
            self._fault(("rules",), "'rules' is a list of files, such as [rules.yaml]")
            return
        for index, file in enumerate(files):
            path = self._path.parent / str(file)
            if path.is_file() or self._absent_rules:
                yield path
            else:
                self._fault(("rules", index), f"there is no file {str(file)!r} beside the site file")

    def _names(self, *where: str | int, quiet: bool = False) -> list[str]:
        """Return the keys of a section; with ``quiet`` faults in them are not told again."""
        section = self._doc.at(where)
        if section is None:
            return []
        if not isinstance(section, dict):
            if not quiet:
                self._fault(where, f"'{where[-1]}' must be a mapping of names")
            return []
        if not quiet:
            for name in section:
                self._check_name((*where, name), name)
        return list(section)

    def _check_name(self, where: Where, name: str) -> None:
        if not re.fullmatch(NAME, name):
            self._fault(where, f"{name!r} is not a name; {NAME_RULE}", at_key=True)
        elif name in RESERVED:
            self._fault(where, f"the name {name!r} is one of anshao's own; choose another", at_key=True)

    def _model(self, model: type[M], where: Where, data: Any = None) -> M | None:
        found, faults = self._doc.read(model, where, data)
        self.faults.extend(faults)
        return found

    def _fault(self, where: Where, message: str, *, at_key: bool = False) -> None:
        self.faults.append(self._doc.fault(where, message, at_key=at_key))


def _shown(value: object) -> str:
    """Return a setting as the file has it, and what is a mapping in a word."""
    if value is None or isinstance(value, bool | int | float | str):
        return json.dumps(value) if value is not None else "not given"
    return "another one"


def _chain(name: str, outputs: Mapping[str, OutputOptions]) -> list[str]:
    """Return the backups of ``name``, as far as they do not repeat."""
    seen: list[str] = []
    while (options := outputs.get(name)) and options.backup and options.backup not in seen:
        name = options.backup
        seen.append(name)
    return seen
