"""Secured connections to a node-opcua server: every policy, trust, logging in, failing over."""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from agent.cli.main import app
from agent.core.clock import SystemClock
from agent.core.errors import NotConnected
from agent.core.ports import Driver, Session
from drivers import REGISTRY
from drivers.opcua.device import OpcUaDevice
from drivers.opcua.pki import MOST_REJECTED, Pki, Untrusted, fingerprint, uri_of
from tests.drivers.rigs import read_until
from tests.servers.process import HERE, Server, free_port

KIND = REGISTRY["opcua"]
NOW = datetime.datetime.now(datetime.UTC)
LEVEL = {"level": {"node": "nsu=urn:test:plant;s=Level", "writable": True}}


def secure_server(folder: Path, uri: str = "urn:test:secure") -> Server:
    port = free_port()
    return Server(["node", str(HERE / "node_opcua_secure.js"), str(port), str(folder / f"server-{port}"), uri], port)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = secure_server(tmp_path_factory.mktemp("secure"))
    made.start()
    yield made
    made.kill()


def url(server: Server) -> str:
    return f"opc.tcp://127.0.0.1:{server.port}/plant"


def driver(pki: Path, *servers: Server, **device: object) -> Driver:
    endpoints = [url(each) for each in servers]
    options = {"endpoint": endpoints, "pki": pki, "timeout": 3.0, "check_host": False, "sampling": 0.1, **device}
    points = {name: KIND.point.model_validate(each) for name, each in LEVEL.items()}
    return KIND.build("plc", KIND.device.model_validate(options), points, SystemClock())


async def trusting(pki: Path, *servers: Server, **device: object) -> Session:
    """Connect, and trust what was turned away the first time."""
    for _ in servers:
        try:
            return await driver(pki, *servers, **device).connect()
        except NotConnected:
            for stored in Pki(pki).all("rejected"):
                Pki(pki).trust(stored.certificate)
    return await driver(pki, *servers, **device).connect()


@pytest.mark.server
async def test_a_certificate_of_another_host_is_no_matter_of_trust(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match=r"does not name the host 127\.0\.0\.1, but .*check_host: false") as fault:
        await driver(tmp_path, server, check_host=True).connect()
    assert "opcua trust" not in str(fault.value)


@pytest.mark.server
async def test_nobody_is_trusted_until_somebody_says_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match=r"nobody has said that it is trusted .*SHA-256 .*anshao opcua trust"):
        await driver(tmp_path, server).connect()
    (refused,) = Pki(tmp_path).all("rejected")
    session = await trusting(tmp_path, server)
    seen = await read_until(session, {"plc.level", "plc.certificate_days"})
    assert seen["plc.level"].value == 255
    days = seen["plc.certificate_days"].value
    assert isinstance(days, float) and 0 < days < 6 * 365
    await session.close()
    Pki(tmp_path).untrust(refused.fingerprint[:12])
    with pytest.raises(NotConnected, match="nobody has said"):
        await driver(tmp_path, server).connect()


@pytest.mark.server
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
async def test_every_current_policy_and_mode(server: Server, tmp_path: Path, policy: str, mode: str) -> None:
    session = await trusting(tmp_path, server, security={"policy": policy, "mode": mode})
    await session.write("plc.level", 254)
    assert [sample.value for sample in await session.fetch(["plc.level"])] == [254]
    await session.close()


@pytest.mark.server
async def test_what_the_server_does_not_offer_is_named(server: Server, tmp_path: Path) -> None:
    broken = {"policy": "Basic256", "mode": "Sign", "allow_deprecated": True}
    with pytest.raises(NotConnected, match=r"does not offer Basic256 Sign, but .*Basic256Sha256 SignAndEncrypt"):
        await driver(tmp_path, server, security=broken).connect()
    session = await driver(tmp_path, server, security="none").connect()
    assert "plc.certificate_days" not in {sample.point for sample in await session.read()}
    await session.close()


@pytest.mark.server
async def test_logging_in_with_a_secret_from_elsewhere(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "s3cret")
    (tmp_path / "op").write_text("wrong\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "op").chmod(0o600)
    pki = tmp_path / "pki"
    session = await trusting(pki, server, username="op", password={"env": "PLC_PASSWORD"})
    await session.close()
    with pytest.raises(NotConnected, match=r"BadUserAccessDenied|BadIdentityTokenRejected"):
        await driver(pki, server, username="op", password={"credential": "op"}).connect()
    (tmp_path / "op").chmod(0o644)
    with pytest.raises(NotConnected, match="everybody can read the secret"):
        await driver(pki, server, username="op", password={"file": tmp_path / "op"}).connect()
    with pytest.raises(NotConnected, match="the environment has no variable NOWHERE"):
        await driver(pki, server, username="op", password={"env": "NOWHERE"}).connect()


@pytest.mark.server
async def test_a_user_may_log_in_by_certificate(server: Server, tmp_path: Path) -> None:
    key, certificate = issued("user")
    (tmp_path / "user.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "user.pem").write_bytes(key.private_bytes(*form))
    user = {"user_certificate": tmp_path / "user.der", "user_key": tmp_path / "user.pem"}
    session = await trusting(tmp_path / "pki", server, **user)
    assert (await session.fetch(["plc.level"]))[0].value is not None
    await session.close()


@pytest.mark.server
async def test_a_server_with_a_new_certificate_is_a_stranger(server: Server, tmp_path: Path) -> None:
    await (await trusting(tmp_path, server)).close()
    server.kill()
    shutil.rmtree(server.command[3])
    server.start()
    with pytest.raises(NotConnected, match="nobody has said that it is trusted"):
        await driver(tmp_path, server).connect()


@pytest.mark.server
def test_trust_by_command(server: Server, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "gateway: {id: g, site: s, state: state}\n"
        f"devices: {{plc: {{protocol: opcua, endpoint: '{url(server)}', check_host: false, timeout: 3s}}}}\n"
    )

    def anshao(*words: str, text: str = "") -> tuple[int, str]:
        result = CliRunner().invoke(app, ["opcua", *words], input=text)
        return result.exit_code, result.output

    assert "SignAndEncrypt" in anshao("endpoints", url(server))[1]
    status, shown = anshao("trust", str(site), "plc", text="n\n")
    assert status == 1 and "SHA-256" in shown and not list(Pki(tmp_path / "state/pki").all("trusted"))
    digits = shown.split("SHA-256")[1].split()[0]
    assert "another certificate" in anshao("trust", str(site), "plc", "--fingerprint", "ab" * 32)[1]
    assert anshao("trust", str(site), "plc", "--fingerprint", digits.upper())[0] == 0
    assert "own" not in anshao("certificates", str(site))[1] and digits in anshao("certificates", str(site))[1]
    status, first = anshao("own", str(site), "--export", str(tmp_path / "ours.der"))
    assert status == 0 and (tmp_path / "ours.der").exists()
    assert anshao("rotate", str(site))[0] == 0 and anshao("own", str(site))[1] != first
    assert anshao("untrust", str(site), digits[:10])[0] == 0
    assert anshao("untrust", str(site), digits[:10])[0] == 1
    assert "is no OPC UA device of the site; known are plc" in anshao("trust", str(site), "press")[1]


@pytest.mark.server
async def test_failing_over_to_the_other_server_and_back_to_health(server: Server, tmp_path: Path) -> None:
    first, second, pki = secure_server(tmp_path), server, tmp_path / "pki"
    first.start()
    try:
        await (await trusting(pki, first)).close()
        await (await trusting(pki, second)).close()
        made = driver(pki, first, second)
        session = await made.connect()
        await session.read()
        assert session.endpoint == url(first)  # type: ignore[attr-defined]
        await session.write("plc.level", 100)
        with pytest.raises(NotConnected, match="service level fell to 100; another server is tried"):
            async with asyncio.timeout(8.0):
                while True:
                    await session.read()
        await session.close()
        session = await made.connect()
        assert session.endpoint == url(second)  # type: ignore[attr-defined]
        second.kill()  # for good: it is the last test that needs it
        with pytest.raises(NotConnected):
            while True:
                await session.read()
        await session.close()
        session = await made.connect()
        assert session.endpoint == url(first), "better a poor server than none"  # type: ignore[attr-defined]
        await session.read()
        await session.close()
    finally:
        first.kill()


def issued(
    name: str,
    by: tuple[rsa.RSAPrivateKey, x509.Certificate] | None = None,
    days: tuple[int, int] = (-1, 30),
    bits: int = 2048,
    ca: bool = False,
) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = by[1].subject if by else subject
    begin, end = (NOW + datetime.timedelta(days=each) for each in days)
    names = [x509.UniformResourceIdentifier(f"urn:{name}"), x509.DNSName("plc4")]
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
    return key, builder.sign(by[0] if by else key, hashes.SHA256())


def turned_away(pki: Pki, certificate: x509.Certificate, uri: str = "urn:plc", host: str | None = "PLC4") -> str:
    try:
        pki.check(certificate, uri, host, NOW)
    except Untrusted as error:
        return str(error)
    return ""


def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    _, good = issued("plc")
    pki.trust(good)
    assert turned_away(pki, good) == ""
    assert "nobody has said" in turned_away(pki, issued("plc")[1])
    assert "is for 'urn:plc', and the server says that it is 'urn:other'" in turned_away(pki, good, "urn:other")
    assert "does not name the host press" in turned_away(pki, good, host="press")
    assert "write the host that it names in 'endpoint'" in turned_away(pki, good, host="press")
    assert turned_away(pki, good, host=None) == ""
    for days in ((-9, -1), (1, 9)):
        assert "is valid from" in turned_away(pki, issued("plc", days=days)[1])
    assert "its key is too weak" in turned_away(pki, issued("plc", bits=1024)[1])


def test_an_authority_vouches_for_its_servers_unless_it_revoked_them(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    root, other = issued("root", ca=True), issued("root", ca=True)
    middle = issued("middle", by=root, ca=True)
    _, leaf = issued("plc", by=middle)
    no_authority = issued("plc", by=issued("plc", ca=False))
    pki.trust(root[1])
    assert "nobody has said" in turned_away(pki, leaf), "the authority between is not known"
    (tmp_path / "issuers").mkdir()
    (tmp_path / "issuers" / "middle.pem").write_bytes(middle[1].public_bytes(serialization.Encoding.PEM))
    assert turned_away(pki, leaf) == ""
    assert "nobody has said" in turned_away(pki, issued("plc", by=other)[1]), "the same name is not the same key"
    assert "nobody has said" in turned_away(pki, no_authority[1])
    entry = x509.RevokedCertificateBuilder(leaf.serial_number, NOW).build()
    crl = x509.CertificateRevocationListBuilder(middle[1].subject, NOW, NOW + datetime.timedelta(days=9), [], [entry])
    (tmp_path / "crl").mkdir()
    (tmp_path / "crl" / "middle.crl").write_bytes(
        crl.sign(middle[0], hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    )
    assert "it was revoked by CN=middle" in turned_away(pki, leaf)


def test_our_own_certificate_is_made_once_and_its_key_is_ours_alone(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    first = pki.own()
    assert pki.own().fingerprint == first.fingerprint and uri_of(first.certificate).endswith(":anshao")
    assert pki.key_file.stat().st_mode & 0o777 == 0o600
    pki.make_own()
    assert pki.own().fingerprint != first.fingerprint
    assert len(list(pki.key_file.parent.iterdir())) == 4, "the old pair is kept aside"


def test_what_was_turned_away_does_not_fill_the_disk(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    _, certificate = issued("plc")
    (tmp_path / "rejected").mkdir()
    for number in range(MOST_REJECTED + 10):
        path = tmp_path / "rejected" / f"{number}.der"
        path.write_bytes(b"")
        os.utime(path, (number, number))
    pki.reject(certificate)
    kept = list((tmp_path / "rejected").iterdir())
    assert len(kept) == MOST_REJECTED and f"{fingerprint(certificate)}.der" in {path.name for path in kept}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"security": "high"}, "'high' is no security; write auto, none"),
        ({"security": {"policy": "Basic256"}}, "Basic256 is broken; take Basic256Sha256"),
        ({"username": "op", "password": "guess"}, "a secret does not stand in this file"),
        ({"username": "op", "password": {}}, "give one place"),
        ({"username": "op", "password": {"env": "A"}, "security": "none"}, "a password needs a secured connection"),
        ({"password": {"env": "A"}}, "of no use without 'username'"),
        ({"user_certificate": "a.der"}, "belong together"),
        ({"user_certificate": "a", "user_key": "b", "username": "op"}, "two ways to log in"),
        ({"endpoint": []}, "at least 1 item"),
    ],
)
def test_what_a_device_may_not_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message) as told:
        OpcUaDevice.model_validate({"endpoint": "opc.tcp://plc:4840", **options})
    assert "guess" not in str(told.value.errors()[0]["msg"])  # type: ignore[attr-defined]
