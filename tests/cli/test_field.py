"""The commissioning tools, as an engineer calls them: on real servers, without an agent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

from agent.app.plan import load_plan
from agent.cli import tables
from agent.cli.field.blocks import flow
from agent.cli.field.browsing import name_of
from agent.cli.field.raw import hint_of
from agent.cli.field.taglist import read_tags
from agent.cli.field.target import beside_the_agent, site_of
from agent.cli.field.watching import Board
from agent.cli.field.writing import parse
from agent.cli.main import app
from agent.core.clock import SystemClock
from agent.core.model import Sample
from drivers import REGISTRY
from drivers.modbus.inspection import inspection
from drivers.modbus.options import ModbusPoint
from tests.drivers.rigs import Rig, libmodbus

DATA = Path(__file__).parent / "data"
SITE = """\
gateway: {{id: hall-3, site: works, state: state, socket: nobody.sock}}
devices:
  plc:
    protocol: modbus-tcp
    host: 127.0.0.1
    port: {modbus}
    points:
      # the register of the gas sensor
      seven: {{address: 40008, unit: bar}}
      float: {{address: 40021, type: float32, word_order: CDAB, writable: true}}
      siren: {{address: {{table: coil, offset: 3}}, writable: true}}
      beyond: {{address: 40950}}

  press:
    protocol: opcua
    endpoint: opc.tcp://127.0.0.1:{opcua}/plant
    security: none
    points:
      level: {{node: "nsu=urn:test:plant;s=Plant.Level"}}
outputs:
  siren: {{kind: siren, point: plc.siren}}
"""


@pytest.fixture(scope="module")
def servers(opcua_server: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rig]]:
    modbus = libmodbus(tmp_path_factory.mktemp("m"))
    modbus.server.start()
    yield {"modbus": modbus, "opcua": opcua_server}
    modbus.server.kill()


@pytest.fixture
def site(servers: dict[str, Rig], tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(**{name: rig.server.port for name, rig in servers.items()}))
    return path


def anshao(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def found(*words: object) -> list[dict[str, object]]:
    return json.loads(anshao(*words, "--json").stdout)  # type: ignore[no-any-return]


@pytest.mark.server
def test_reading_points_of_a_site(site: Path) -> None:
    rows = {row["point"]: row for row in found("read", site)}
    assert rows["plc.seven"]["value"] == 7 and rows["plc.seven"]["unit"] == "bar"
    assert rows["press.level"]["value"] == 7.0 and "illegal data address" in str(rows["plc.beyond"]["reason"])
    assert anshao("read", site).exit_code == 2 and anshao("read", site, "plc.s*", "press.*").exit_code == 0
    assert "no point is called 'plc.nine'" in anshao("read", site, "plc.nine").stderr


@pytest.mark.server
def test_reading_without_a_site(servers: dict[str, Rig]) -> None:
    url = f"modbus://127.0.0.1:{servers['modbus'].server.port}/1"
    rows = found("read", url, "40008", "input/9:int16", "40001:uint32:CDAB")
    assert {row["point"]: row["value"] for row in rows} == {"device.p0": 7, "device.p1": 9, "device.p2": 65536}
    (row,) = found(
        "read", f"opc.tcp://127.0.0.1:{servers['opcua'].server.port}/plant", "nsu=urn:test:plant;s=Plant.Level"
    )
    assert row["value"] == 7.0
    assert "is no register" in anshao("read", url, "x").stderr
    assert "ftp:// is not known" in anshao("read", "ftp://host", "x").stderr
    assert "is not a Modbus address" in anshao("read", url, "5").stderr
    assert "40001:float32" in anshao("read", url).stderr and anshao("watch", url).exit_code == 1
    assert "unit: Input should be less" in anshao("read", url[:-1] + "300", "40008").stderr


@pytest.mark.server
def test_octets_of_registers_in_every_order(site: Path) -> None:
    anshao("write", site, "plc.float", "21.5", "--confirm")
    shown = anshao("read", site, "plc.float", "--raw").stdout
    assert "float32 CDAB" in shown and "← as configured" in shown and "21.5" in shown and "0000 41ac" in shown
    (row,) = found("read", site, "plc.float", "--raw")
    assert row["raw"] == "000041ac" and row["hint"] == ""
    assert "as configured" in anshao("check", site, "--connect", "--raw").stdout
    assert "See --raw" not in anshao("check", site, "--connect").stdout
    site.write_text(site.read_text().replace("word_order: CDAB", "word_order: ABCD"))
    assert "plc.float: rather float32 CDAB? See --raw" in anshao("check", site, "--connect").stdout
    gone = anshao("read", "modbus://127.0.0.1:9/1", "40008", "--raw")
    assert gone.exit_code == 2 and "device.p0: no connection" in gone.stderr
    mixed = anshao("read", site, "plc.beyond", "press.level", "plc.float", "--raw")
    assert mixed.exit_code == 2 and "unlikely" in mixed.stdout
    assert "plc.beyond: the device refuses" in mixed.stderr and "press.level: it is no register" in mixed.stderr


def test_a_hint_when_another_order_is_far_likelier() -> None:
    point = ModbusPoint.model_validate({"address": 40001, "type": "float32"})
    raw = bytes.fromhex("000041ac")
    assert hint_of(inspection("p", point, raw)) == "rather float32 CDAB?"
    assert hint_of(inspection("p", point, bytes.fromhex("41ac0000"))) == ""


@pytest.mark.server
def test_a_write_needs_to_be_confirmed(site: Path) -> None:
    asked = anshao("write", site, "plc.siren", "true")
    assert asked.exit_code == 1 and "plc.siren is False; would write True. Add --confirm" in asked.stdout
    done = anshao("write", site, "plc.siren", "true", "--confirm")
    assert done.exit_code == 0 and "plc.siren was False; wrote True; read back True" in done.stdout
    assert anshao("write", site, "plc.siren", "false", "--confirm").exit_code == 0
    assert anshao("write", site, "plc.float", "0.1", "--confirm").exit_code == 0, "32 bits hold no 0.1"
    below = anshao("write", site, "plc.float", "-2.5", "--confirm")
    assert below.exit_code == 0 and "read back -2.5" in below.stdout
    assert "add 'writable: true'" in anshao("write", site, "plc.seven", "1", "--confirm").stderr
    assert "is more than one point" in anshao("write", site, "plc.*", "1", "--confirm").stderr
    assert "'x' is not a number" in anshao("write", site, "plc.float", "x", "--confirm").stderr


@pytest.mark.server
def test_a_siren_that_a_running_agent_drives_is_left_to_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.client import Client

    monkeypatch.setattr(Client, "get", lambda *_: {"gateway": {"id": "hall-3"}})
    refused = anshao("write", site, "plc.siren", "true", "--confirm")
    assert refused.exit_code == 1 and "drives plc.siren as output 'siren'" in refused.stderr
    assert anshao("write", site, "plc.siren", "false", "--confirm", "--even-if-output").exit_code == 0


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("2.5", 2.5), ("true", True), ("run", "run"), ('"5"', "5")])
def test_what_is_written_is_json_or_text(text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.server
def test_watching(site: Path) -> None:
    lines = [json.loads(line) for line in anshao("watch", site, "--json", "--for", "1.5s").stdout.splitlines()]
    assert {line["point"]: line["value"] for line in lines}["plc.seven"] == 7
    assert "plc.seven  7  good" in anshao("watch", site, "plc.seven", "--plain", "--for", "1s").stdout


def test_a_table_of_many_points_is_as_long_as_the_terminal() -> None:
    board, now = Board(20), SystemClock().now()
    started_s = time.monotonic()
    for number in range(5000):
        board.changed(Sample.good(f"a.p{number:04}", number, now))
    assert board.table().row_count == 21 and time.monotonic() - started_s < 2.0
    console = Console(width=100)
    with console.capture() as shown:
        console.print(board.table())
    assert "a.p0019" in shown.get() and "and 4980 more" in shown.get()


def test_what_a_device_sends_does_not_command_the_terminal() -> None:
    shown = tables.value("\x1b[2J泵\n1")
    assert shown == r"\x1b[2J泵\n1" and shown.isprintable()


@pytest.mark.server
def test_who_reads_along_may_leave(site: Path) -> None:
    command = f"{sys.executable} -m agent watch {site} 'plc.*' --plain --for 6s | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=15, check=True)
    assert done.stdout.count("\n") == 1 and done.stderr == ""


@pytest.mark.server
def test_browsing(site: Path, servers: dict[str, Rig]) -> None:
    block = yaml.safe_load(anshao("browse", site, "press", "Plant/*", "--yaml").stdout)
    assert block["siren"] == {"node": "nsu=urn:test:plant;s=Plant.Siren"} and block["setpoint"]
    url = f"opc.tcp://127.0.0.1:{servers['opcua'].server.port}/plant"
    assert "Objects/2:Plant" in anshao("browse", url).stdout
    assert {row["path"] for row in found("browse", site, "press", "Plant/S*")} == {
        "Objects/2:Plant/2:SetPoint", "Objects/2:Plant/2:Siren",
    }  # fmt: skip
    assert "modbus-tcp cannot tell what it offers" in anshao("browse", site, "plc").stderr
    assert "no device 'x'; known are plc, press" in anshao("browse", site, "x").stderr
    assert "which device? Write one of plc, press" in anshao("browse", site).stderr
    nowhere = anshao("browse", site, "press", "Nowhere/*")
    assert nowhere.exit_code == 1 and "nothing lies at 'Nowhere/*'" in nowhere.stderr


def test_names_are_made_from_paths() -> None:
    taken: set[str] = set()
    paths = ["Objects/2:Plant/2:Set Point", "A/2:Set-Point", "A/3:9 lives", "A/泵"]
    assert [name_of(path, taken) for path in paths] == ["set_point", "set_point_2", "p_9_lives", "point"]


@pytest.mark.server
def test_discovering(servers: dict[str, Rig]) -> None:
    ports = {"modbus-tcp": servers["modbus"].server.port, "opcua": servers["opcua"].server.port}
    asked = [word for name, port in ports.items() for word in ("--protocol", f"{name}:{port}")]
    rows = found("discover", "127.0.0.1/32", *asked, "--timeout", "3s")
    assert [(row["protocol"], row["port"]) for row in rows] == list(ports.items())
    assert "Modbus" in str(rows[0]["says"]) and "NodeOPCUA" in str(rows[1]["says"])
    block = yaml.safe_load(anshao("discover", "127.0.0.1/32", *asked, "--timeout", "3s", "--yaml").stdout)
    assert block["device1"]["protocol"] == "modbus-tcp" and block["device2"]["endpoint"].startswith("opc.tcp://")
    assert anshao("discover", "127.0.0.1/32", "--protocol", f"modbus-tcp:{ports['opcua']}").exit_code == 1
    assert "has 65536 addresses" in anshao("discover", "10.0.0.0/16").stderr
    assert "is no subnet" in anshao("discover", "hall-3").stderr
    assert "nobody answered" in anshao("discover", "127.0.0.1/32", "--protocol", "modbus-tcp:9").stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("127.0.0.1", "--protocol", "mqtt"), "'mqtt' cannot be searched for; modbus-tcp and opcua can"),
        (("127.0.0.1", "--protocol", "modbus-tcp:abc"), "'abc' is not a port"),
        (("127.0.0.1", "--protocol", "modbus-tcp:99999"), "'99999' is not a port"),
        (("fe80::/64", "--really"), "the largest that is searched has 65536"),
    ],
)
def test_a_search_that_cannot_be(words: tuple[str, ...], message: str) -> None:
    done = anshao("discover", *words)
    assert done.exit_code == 1 and message in done.stderr


def imported(name: str, *words: str) -> Result:
    return anshao("import", DATA / name, "--protocol", "modbus-tcp", *words)


def test_importing_what_other_tools_export() -> None:
    block = yaml.safe_load(imported("kepware.csv").stdout)
    assert block == {
        "gas_a": {"address": "400001", "type": "float32", "description": "gas, hall 3"},
        "fault_pump": {"address": "400010", "bit": 3, "description": "pump fault"},
        "siren": {"address": "000001", "writable": True},
        "total": {"address": "400020", "type": "uint32", "description": "total count"},
    }
    renamed = yaml.safe_load(imported("scada_cn.csv", "--columns", "name=单位").stdout)
    assert list(renamed) == ["p_30005", "bar"]


def test_every_fault_of_a_list_is_told_with_its_place() -> None:
    done = imported("faulty.tsv")
    assert done.exit_code == 1 and done.stdout == ""
    told = [line.split("faulty.tsv:")[1] for line in done.stderr.splitlines() if "faulty.tsv:" in line]
    assert [line.split(": ")[0] for line in told] == ["3:1", "4:1", "5:2", "6:3"]
    assert (
        "'level' in line 2 and 'level' in line 3 become the same point 'level'" in told[0]
        and "is not a Modbus address" in told[2]
    )
    skipped = imported("faulty.tsv", "--skip-bad")
    assert skipped.exit_code == 0 and "left out: lines 3, 4, 5, 6" in skipped.stderr
    assert list(yaml.safe_load(skipped.stdout)) == ["level", "inp"]


def test_a_list_in_chinese() -> None:
    assert yaml.safe_load(imported("scada_cn.csv").stdout) == {
        "p_30005": {"address": "30005", "type": "int16", "unit": "°C", "description": "温度_1 炉温", "scale": 0.1},
        "t2": {"address": "40001", "type": "float32", "unit": "bar", "description": "压力"},
    }


def test_importing_into_a_site_keeps_all_else(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(modbus=1, opcua=2))
    before = path.read_text()
    done = imported("kepware.csv", "--into", str(path), "--device", "plc")
    assert done.exit_code == 1 and "plc has a point 'siren' already" in done.stderr and path.read_text() == before
    path.write_text(
        before.replace("      siren: {address: {table: coil, offset: 3}, writable: true}\n", "").split("outputs")[0]
    )
    before = path.read_text()
    assert imported("kepware.csv", "--into", str(path), "--device", "plc").exit_code == 0
    plan = load_plan(path)
    assert len(plan.site.devices["plc"].points) == 7 and "# the register of the gas sensor" in path.read_text()
    assert (tmp_path / "site.yaml.bak").read_text() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["site.yaml", "site.yaml.bak"]
    assert "no device 'x'" in imported("kepware.csv", "--into", str(path), "--device", "x").stderr
    for points in ("    points: {}\n", "", "    points:\n"):
        path.write_text("gateway: {id: g, site: s}\ndevices:\n  plc:\n    protocol: modbus-tcp\n    host: h\n" + points)
        assert imported("kepware.csv", "--into", str(path), "--device", "plc").exit_code == 0, points
        assert len(load_plan(path).site.devices["plc"].points) == 4


@pytest.mark.parametrize("value", [True, "true", "off", "5", "a b", "x: y", 5, 2.5, ["a", 1], {"a": "#"}, "泵", "\n"])
def test_flow_style_is_read_back_as_it_was(value: object) -> None:
    assert yaml.safe_load(f"key: {flow(value)}") == {"key": value}


def test_a_tool_does_not_throw_the_agent_off_its_broker(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "gateway: {id: g, site: s}\n"
        "devices: {m: {protocol: mqtt, broker: 'mqtt://h', client_id: gw, session: 10min, points: {a: {topic: a}}}}\n"
    )
    config = site_of(path).devices["m"]
    assert beside_the_agent(config).options.client_id == ""  # type: ignore[attr-defined]
    assert config.options.client_id == "gw"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "words", "message"),
    [
        (b"name,address\nfoo\nbar,40001\n", (), "tags.csv:2:1: the line ends before"),
        (b'name,address\n"foo,40001\nbar,40002\n', (), "tags.csv:3:1: the line ends before"),
        (b"name,address\nfoo," + b"x" * 200_000, (), "tags.csv:2:1: is no line of a tag list"),
        (bytes(range(256)) * 90, (), "no column is the name"),
        (b"name,address\na,40001\n", ("--columns", "name=Symbol"), "no column is called 'Symbol'"),
        (b"name,address\na,40001\n", ("--columns", "tag=name"), "tag is no field"),
    ],
)
def test_nonsense_is_no_tag_list(tmp_path: Path, data: bytes, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "tags.csv").write_bytes(data)
    done = anshao("import", tmp_path / "tags.csv", "--protocol", "modbus-tcp", *words)
    assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit) and len(done.stderr) < 1000
    assert message in done.stderr.replace("\n", " ") and not done.stdout


def test_unicode_text_of_a_spreadsheet(tmp_path: Path) -> None:
    (tmp_path / "tags.txt").write_bytes("变量名\t寄存器地址\t数据类型\nT1\t40001\t浮点\n".encode("utf-16"))
    done = anshao("import", tmp_path / "tags.txt", "--protocol", "modbus-tcp")
    assert yaml.safe_load(done.stdout) == {"t1": {"address": "40001", "type": "float32"}}
    refused = anshao("import", tmp_path / "tags.txt", "--protocol", "simulated")
    assert refused.exit_code == 1 and "has no addresses" in refused.stderr


def test_importing_keeps_line_ends_and_asks_for_lines_instead_of_braces(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    text = "gateway: {id: g, site: s}\ndevices:\n  plc:\n    protocol: modbus-tcp\n    host: h\n"
    path.write_text(text, newline="\r\n")
    assert imported("kepware.csv", "--into", str(path), "--device", "plc").exit_code == 0
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n") > 5
    path.write_text("gateway: {id: g, site: s}\ndevices:\n  plc: {protocol: modbus-tcp, host: h}\n")
    refused = imported("kepware.csv", "--into", str(path), "--device", "plc")
    assert "site.yaml:3: 'plc' stands in braces" in refused.stderr


def test_two_tags_that_become_one_point_are_both_named(tmp_path: Path) -> None:
    tags = tmp_path / "tags.csv"
    tags.write_text("name,address\nPump 1,40001\nFan,40002\nPUMP_1,40003\n水泵,40009\n风机,40009\n", encoding="utf-8")
    _, faults = read_tags(tags, REGISTRY["modbus-tcp"], {})
    assert [str(fault).split("tags.csv:")[1] for fault in faults] == [
        "4:1: 'Pump 1' in line 2 and 'PUMP_1' in line 4 become the same point 'pump_1'; rename one",
        "6:1: '水泵' in line 5 and '风机' in line 6 become the same point 'p_40009'; rename one",
    ]
