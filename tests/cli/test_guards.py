"""What ``anshao check`` tells an engineer to wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.app.plan import load_plan
from agent.cli.guards import guards, unnoticed

SITE = """
gateway: {{id: hall-3, site: works}}
devices:
  plc:
    protocol: modbus-tcp
    host: 127.0.0.1
    {device}
    points:
      siren: {{address: {{table: coil, offset: 1}}, writable: true}}
      beat: {{address: 40001, type: uint16, writable: true}}
outputs:
  siren: {{kind: siren, point: plc.siren, on_loss: {on_loss}}}
"""


@pytest.mark.parametrize(
    ("device", "on_loss", "told"),
    [
        ("module: wago-750", "on", "give plc.siren the safe state 'on' in WAGO"),
        ("module: moxa-iologik-e1200", "on", "switch the watchdog of Moxa ioLogik E1200 on"),
        ("module: patlite-la6-poe", "on", "wire a fault siren that is normally energised"),
        ("heartbeat: beat", "on", "let the logic in plc see to it when plc.beat stands still"),
        ("timeout: 1s", "off", "wire a fault siren"),
        ("timeout: 1s", "hold", "make sure that plc keeps its outputs"),
    ],
)
def test_each_output_that_must_act_by_itself(tmp_path: Path, device: str, on_loss: str, told: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(device=device, on_loss=on_loss), encoding="utf-8")
    (line,) = guards(load_plan(path))
    assert line.startswith(f"siren must be '{on_loss}' when the gateway is lost: ") and told in line


def test_nothing_is_told_where_nothing_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(device="timeout: 1s", on_loss="hold").replace(", on_loss: hold", ""), encoding="utf-8")
    assert list(guards(load_plan(path))) == []


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("siren", [("P3", "gas.H", "yellow")]),
        ("yellow", [("P1", "gas.HH", "siren or buzzer or red")]),
        ("green", [("P1", "gas.HH", "siren or buzzer or red"), ("P3", "gas.H", "yellow")]),
    ],
)
def test_alarms_that_no_output_shows_are_told(tmp_path: Path, kind: str, told: list[tuple[str, str, str]]) -> None:
    limits = "{H: {at: 20, priority: P3}, HH: {at: 40, priority: P1}}"
    rule = f"{{id: gas, kind: level, input: plc.beat, name: Gas, limits: {limits}}}"
    (tmp_path / "rules.yaml").write_text(f"rules: [{rule}]\n")
    text = SITE.format(device="timeout: 1s", on_loss="hold").replace("kind: siren", f"kind: {kind}")
    (tmp_path / "site.yaml").write_text(f"rules: [rules.yaml]\n{text}", encoding="utf-8")
    assert list(unnoticed(load_plan(tmp_path / "site.yaml"))) == [
        f"no output shows or sounds {priority} ({alarm}): only the page and the centre tell; "
        f"declare an output of kind {kinds}"
        for priority, alarm, kinds in told
    ]
