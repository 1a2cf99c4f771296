"""Every way to a broker, and what is said of certificates that do not do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.core.clock import SystemClock
from agent.links.arrivals import LinkLost
from agent.links.tls import context, end_of_ours, papers
from agent.uplink.mqtt_link import MqttLink
from agent.uplink.options import UplinkOptions
from tests.drivers.test_mqtt_tls import await_listener
from tests.fakes import until
from tests.servers.certificates import Authority, Pair
from tests.servers.mosquitto import mosquitto
from tests.servers.process import free_port
from tests.servers.subscriber import Subscriber
from tests.uplink.conftest import Gateway, until_empty

HUNG_UP = "does it take our certificate (or ask for one)?"


@dataclass
class Pki:
    """``ours`` signs brokers and gateways, ``other`` is nobody's."""

    ours: Authority
    other: Authority
    gateway: Pair


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    ours = Authority(folder)
    return Pki(ours, Authority(folder, "stranger"), ours.issue("gw"))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[dict[str, int]]:
    """One mosquitto with a listener of each kind; those with TLS ask for a certificate of the gateway's."""
    folder = tmp_path_factory.mktemp("broker")
    listeners = {
        "mqtts": (pki.ours.issue("good"), ""),
        "wss": (pki.ours.issue("web"), "protocol websockets"),
        "expired": (pki.ours.issue("expired", days=-1), ""),
        "elsewhere": (pki.ours.issue("elsewhere", host="broker.example"), ""),
    }
    found = {name: free_port() for name in (*listeners, "ws")}
    lines = [f"listener {found['ws']} 127.0.0.1", "protocol websockets"]
    for name, (pair, protocol) in listeners.items():
        tls = (f"cafile {pki.ours.certificate}", f"certfile {pair.certificate}", f"keyfile {pair.key}")
        lines += [f"listener {found[name]} 127.0.0.1", *tls, "require_certificate true"] + ([protocol] * bool(protocol))
    server = mosquitto(folder, *lines)
    server.start()
    for port in found.values():
        await_listener(port)
    yield {**found, "mqtt": server.port}
    server.kill()


def options(pki: Pki, broker: str, **more: Any) -> UplinkOptions:
    ours = {"ca_file": pki.ours.certificate, "certificate": pki.gateway.certificate, "key": pki.gateway.key}
    return UplinkOptions.model_validate({"brokers": [broker], "patience": 3.0, **ours, **more})


def link(made: UplinkOptions) -> MqttLink:
    shown = papers(made, made.brokers[0], SystemClock().now().utc)
    return MqttLink(made.brokers[0], made, "gw", "plant/works/gw", shown)


async def refusal(made: UplinkOptions) -> str:
    """Return why a broker and we do not come together."""
    found = link(made)
    with pytest.raises(LinkLost) as caught:
        await found.open()
    await found.close(farewell=False)
    return str(caught.value)


@pytest.mark.server
@pytest.mark.parametrize("scheme", ["mqtts", "ws", "wss"])
async def test_events_arrive_in_every_way(tmp_path: Path, pki: Pki, ports: dict[str, int], scheme: str) -> None:
    path = "/mqtt" if scheme != "mqtts" else ""
    made = (
        options(pki, "mqtts://unused:1", brokers=[f"{scheme}://127.0.0.1:{ports[scheme]}{path}"])
        if (scheme != "ws")
        else UplinkOptions(brokers=(f"ws://127.0.0.1:{ports['ws']}{path}",))
    )
    gateway = Gateway(tmp_path, 0, **{name: getattr(made, name) for name in made.model_fields_set})
    with Subscriber(ports["mqtt"], client_id=f"centre-{scheme}") as centre, gateway.journal:
        gateway.record(*(f"{scheme}{number}" for number in range(5)))
        async with gateway.running():
            await until_empty(gateway)
            await until(lambda: len(centre.first_seen()) == 5)


@pytest.mark.server
async def test_a_broker_that_is_not_ours_is_told_in_words(pki: Pki, ports: dict[str, int]) -> None:
    def at(name: str, **more: Any) -> UplinkOptions:
        return options(pki, f"mqtts://127.0.0.1:{ports[name]}", **more)

    assert "its certificate has expired; renew it there" in await refusal(at("expired"))
    assert "its certificate is for another address" in await refusal(at("elsewhere"))
    stranger = {"ca_file": pki.other.certificate}
    assert "signed by somebody whom 'ca_file' does not name" in await refusal(at("mqtts", **stranger))
    assert "is that the port with TLS" in await refusal(at("mqtt"))


@pytest.mark.server
async def test_what_a_broker_has_against_our_certificate_is_told_in_words(pki: Pki, ports: dict[str, int]) -> None:
    broker = f"mqtts://127.0.0.1:{ports['mqtts']}"
    strange = pki.other.issue("strange")
    said = await refusal(options(pki, broker, certificate=strange.certificate, key=strange.key))
    assert "it does not know who signed our certificate" in said or HUNG_UP in said, "it may hang up before it says so"
    bare = UplinkOptions(brokers=(broker,), ca_file=pki.ours.certificate)
    said = await refusal(bare)
    assert "it asks for a certificate of ours" in said or HUNG_UP in said


def test_files_that_do_not_do_are_told_before_anything_is_sent(pki: Pki, tmp_path: Path) -> None:
    now = SystemClock().now().utc
    old, other = pki.ours.issue("old", days=-3), pki.ours.issue("other")
    locked, seen, junk = pki.ours.issue("locked", password=b"secret"), pki.ours.issue("seen"), tmp_path / "junk.pem"
    seen.key.chmod(0o644)
    junk.write_text("no certificate")
    cases = {
        "everybody can read the key": {"certificate": seen.certificate, "key": seen.key},
        "expired on": {"certificate": old.certificate, "key": old.key},
        "is not the key of": {"certificate": pki.gateway.certificate, "key": other.key},
        "is encrypted with a password": {"certificate": locked.certificate, "key": locked.key},
        "no certificate in PEM is in it": {"certificate": junk},
        "ca_file .*junk.pem: no certificate": {"ca_file": junk},
        "ca_file .* cannot be read: No such file": {"ca_file": tmp_path / "absent"},
        "key .* cannot be read: No such file": {"key": tmp_path / "absent"},
        "is no key in PEM": {"key": pki.gateway.certificate},
    }
    pki.gateway.certificate.chmod(0o600)
    for words, files in cases.items():
        with pytest.raises(ValueError, match=words):
            context(options(pki, "mqtts://h:1", **files), now)


@pytest.mark.server
async def test_the_days_that_are_left_of_our_certificate_are_a_point(
    tmp_path: Path, pki: Pki, ports: dict[str, int]
) -> None:
    soon = pki.ours.issue("soon", days=6)
    files = {"ca_file": pki.ours.certificate, "certificate": soon.certificate, "key": soon.key}
    gateway = Gateway(tmp_path, 1, brokers=(f"mqtts://127.0.0.1:{ports['mqtts']}",), **files)
    with gateway.journal:
        async with gateway.running() as uplink:
            await until(lambda: uplink.status.online)
            days = dict(uplink.values())["gateway.certificate_days"]
            assert isinstance(days, float) and 5.9 <= days <= 6.0
    assert end_of_ours(options(pki, "mqtts://h:1", certificate=tmp_path / "absent")) is None
