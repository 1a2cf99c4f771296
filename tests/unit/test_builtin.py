"""Alarms that a site has because of what its devices are."""

from __future__ import annotations

from pathlib import Path

from agent.app.plan import Plan, load_plan
from agent.core.clock import ManualClock
from agent.core.model import AlarmState, Sample
from agent.facts import FactTable
from rules.engine import Engine

SITE = """
gateway: {id: hall-3, site: works}
devices:
  io:
    protocol: modbus-tcp
    host: 127.0.0.1
    module: wago-750
    heartbeat: beat
    points: {beat: {address: 40100, writable: true}}
  press:
    protocol: opcua
    endpoint: opc.tcp://127.0.0.1:4840
    points: {level: {node: "i=2258"}}
  plain: {protocol: opcua, endpoint: "opc.tcp://127.0.0.1:4841", security: none, points: {level: {node: "i=2258"}}}
"""


def plan(folder: Path, more: str = "") -> Plan:
    (folder / "site.yaml").write_text(SITE + more)
    return load_plan(folder / "site.yaml")


def active(folder: Path, more: str = "", **values: float | bool) -> set[str]:
    """Return the alarms that are active a minute after such samples."""
    loaded, clock = plan(folder, more), ManualClock()
    engine, facts = Engine(loaded.rules), FactTable(loaded.points.values())
    for _ in range(2):
        now = clock.now()
        facts.update([Sample.good(point.replace("__", "."), value, now) for point, value in values.items()])
        engine.evaluate(facts, None, now)
        clock.advance(60.0)
    return {id_ for id_, alarm in engine.alarms.items() if alarm.state is AlarmState.UNACKNOWLEDGED}


def test_a_module_that_cannot_guard_itself_is_an_alarm(tmp_path: Path) -> None:
    assert "io.watchdog" in active(tmp_path, io__watchdog_ok=False)
    assert "io.safe_mode" in active(tmp_path, io__safe_mode=True)
    assert not {"io.watchdog", "io.safe_mode"} & active(tmp_path, io__watchdog_ok=True, io__safe_mode=False)


def test_a_certificate_that_ends_is_an_alarm_in_three_steps(tmp_path: Path) -> None:
    def steps(days: float) -> list[str]:
        return sorted(id_ for id_ in active(tmp_path, press__certificate_days=days) if "certificate" in id_)

    assert steps(61.0) == []
    assert steps(59.5) == ["press.certificate_60d"]
    assert steps(20.0) == ["press.certificate_30d", "press.certificate_60d"]
    assert len(steps(-1.0)) == 3


def test_only_what_a_device_has_is_watched(tmp_path: Path) -> None:
    alarms = {rule.definition.id for rule in plan(tmp_path).rules}
    assert "plain.certificate_7d" not in alarms and "press.watchdog" not in alarms


def test_a_device_with_a_heartbeat_alone_has_an_output_connection(tmp_path: Path) -> None:
    ((config, driver, outputs),) = plan(tmp_path).output_buses()
    assert (config.id, [point.id for point in driver.points], outputs) == ("io", ["io.beat"], [])


def test_the_way_to_the_centre_has_alarms_for_what_can_go_wrong_on_it(tmp_path: Path) -> None:
    brokers = "brokers: [mqtts://a, mqtts://b], certificate: c.pem, key: c.key, watermark: true"

    def ids(**values: float | bool) -> set[str]:
        told = {f"gateway__{name}": value for name, value in values.items()}
        return {id_ for id_ in active(tmp_path, f"uplink: {{{brokers}}}", **told) if id_.startswith("gateway.")}

    assert ids(uplink_online=True, uplink_preferred=True, certificate_days=300.0) == set()
    assert ids(uplink_online=True, uplink_preferred=False) == {"gateway.uplink_fallback"}
    assert ids(uplink_online=False, uplink_preferred=False) == {"gateway.uplink"}
    assert ids(uplink_online=True, centre_confirms=False) == {"gateway.confirmation"}
    assert ids(uplink_online=True, centre_confirms=True) == ids(uplink_online=True) == set()
    assert ids(certificate_days=20.0) == {"gateway.certificate_30d"}
    assert ids(certificate_days=5.0) == {"gateway.certificate_30d", "gateway.certificate_7d"}


CAMERAS = """
gateway: {id: hall-3, site: works}
cameras:
  gate: {source: usb:0, zones: {way: {polygon: [[0, 0], [1, 0], [1, 1]]}}}
  drone: {source: usb:1, mode: moving, trust: {dark: blind, slow: ignore}}
"""


def test_each_fault_of_a_picture_is_an_alarm_and_explains_that_the_camera_is_blind(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(CAMERAS)
    loaded = load_plan(tmp_path / "site.yaml")
    found = {rule.definition.id: rule.definition for rule in loaded.rules}
    priorities = {
        id_: found[id_].priority.name for id_ in found if found[id_].inputs == (id_,) and "gateway" not in id_
    }
    assert priorities == {
        **{f"gate.{fault}": "P3" for fault in ("black", "covered", "blurred", "frozen", "moved")},
        **{"gate.sparse": "P3", "drone.sparse": "P3"},
        **{"gate.dark": "P4", "gate.slow": "P4", "drone.black": "P3", "drone.frozen": "P3", "drone.dark": "P3"},
    }
    assert all(set(found[id_].name) == {"en", "zh"} and found[id_].response["zh"] for id_ in priorities)
    assert found["gate.blind"].parents == tuple(
        f"gate.{fault}" for fault in ("black", "covered", "blurred", "frozen", "moved")
    )
    assert "gate.slow" in loaded.points and "drone.slow" not in loaded.points


def test_a_black_camera_calls_by_its_own_name_and_a_lost_one_as_blind(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(CAMERAS)
    loaded, clock = load_plan(tmp_path / "site.yaml"), ManualClock()
    engine, facts = Engine(loaded.rules), FactTable(loaded.points.values())

    def calling(**values: bool | None) -> set[str]:
        for _ in range(2):
            now = clock.now()
            samples = [
                Sample.good(f"gate.{name}", value, now) if value is not None else Sample.bad(f"gate.{name}", "", now)
                for name, value in values.items()
            ]
            facts.update(samples)
            engine.evaluate(facts, None, now)
            clock.advance(10.0)
        return {id_ for id_, alarm in engine.alarms.items() if alarm.calls}

    assert calling(online=True, camera_ok=True, black=False) == set()
    assert calling(online=True, camera_ok=False, black=True) == {"gate.black"}
    assert calling(online=False, camera_ok=None, black=None) == {"gate.black"}, "unknown clears nothing"
    assert calling(online=True, camera_ok=True, black=False) == set()
    assert calling(online=False, camera_ok=None, black=None) == {"gate.blind"}
