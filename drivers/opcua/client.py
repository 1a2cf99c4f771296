"""Opens sessions. Importing this module loads asyncua: half a second and 80 MB before they are given back."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from cryptography import x509

from agent.core.errors import NotConnected
from agent.core.ports import Clock
from drivers.opcua.calls import Calls
from drivers.opcua.device import DEPRECATED, Channel, OpcUaDevice
from drivers.opcua.options import OpcUaPoint
from drivers.opcua.pki import Pki, Untrusted, describe, uri_of
from drivers.opcua.session import OpcUaSession
from drivers.opcua.subscription import LIFETIME_S

logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)  # what it reports reaches the caller as an error
logging.getLogger("asyncuagds").setLevel(logging.CRITICAL + 1)
_NO_WATCHDOG_S = 86400.0
"""The library's own watchdog stays out of it: the session asks the server itself."""
_POLICIES: dict[str, Any] = {
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Basic256": security_policies.SecurityPolicyBasic256,
    "Basic128Rsa15": security_policies.SecurityPolicyBasic128Rsa15,
}
"""The strongest first."""
_MODES = {"SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt, "Sign": ua.MessageSecurityMode.Sign}


async def open_session(
    device: OpcUaDevice, endpoint: str, points: Mapping[str, OpcUaPoint], clock: Clock
) -> OpcUaSession:
    """Build a fresh client and connect it; a client that once failed may be dead for good. Raises NotConnected."""
    client = _client(device, endpoint)
    calls = Calls(client, endpoint, device.timeout)
    session = OpcUaSession(calls, device, points, clock)
    try:
        await _log_in(client, device)
        if device.security != "none":
            session.certificate_ends = await _secure(calls, device)
        await session.open()
    except BaseException:
        await session.close()
        raise
    return session


async def endpoints_of(endpoint: str, timeout_s: float) -> list[ua.EndpointDescription]:
    """Ask a server how it can be talked to; nothing is trusted for that. Raises NotConnected."""
    client = Client(endpoint, timeout=timeout_s, watchdog_intervall=_NO_WATCHDOG_S)
    try:
        return await Calls(client, endpoint, timeout_s).limited(client.connect_and_get_server_endpoints())
    finally:
        client.disconnect_socket()


def certificate_of(endpoint: ua.EndpointDescription) -> x509.Certificate | None:
    """Return the certificate that a server shows for an endpoint, the first of its chain."""
    data = bytes(endpoint.ServerCertificate or b"")
    if len(data) < 4:
        return None
    length = 4 + int.from_bytes(data[2:4], "big")  # a DER sequence with a length of two octets
    return x509.load_der_x509_certificate(data[:length])


def choose(
    device: OpcUaDevice, offered: Sequence[ua.EndpointDescription]
) -> tuple[str, ua.MessageSecurityMode, ua.EndpointDescription]:
    """Return policy, mode and endpoint to take. Raises NotConnected when the server has nothing of use."""
    wanted = device.security
    for mode_name, mode in _MODES.items():
        for name, policy in _POLICIES.items():
            if isinstance(wanted, Channel) and (name, mode_name) != (wanted.policy, wanted.mode):
                continue
            if name in DEPRECATED and not isinstance(wanted, Channel):
                continue
            for each in offered:
                if each.SecurityPolicyUri == policy.URI and each.SecurityMode == mode:
                    return name, mode, each
    has = sorted({f"{str(each.SecurityPolicyUri).rpartition('#')[2]} {each.SecurityMode.name}" for each in offered})
    asked = f"{wanted.policy} {wanted.mode}" if isinstance(wanted, Channel) else "a current policy"
    raise NotConnected(
        f"the server does not offer {asked}, but {', '.join(has) or 'nothing'}; "
        "switch it on in the server, or name what you accept under 'security'"
    )


def _client(device: OpcUaDevice, endpoint: str) -> Client:
    client = Client(endpoint, timeout=device.timeout, watchdog_intervall=_NO_WATCHDOG_S)
    client.session_timeout = int(LIFETIME_S * 1000)
    return client


async def _log_in(client: Client, device: OpcUaDevice) -> None:
    try:
        if device.username:
            client.set_user(device.username)
            client.set_password(_password(device))
        if device.user_certificate is not None and device.user_key is not None:
            secret = device.user_key_password.read() if device.user_key_password else None
            await client.load_client_certificate(str(device.user_certificate))
            await client.load_private_key(device.user_key, secret)
    except (OSError, ValueError, TypeError) as error:  # the last for a key whose password is missing
        raise NotConnected(f"logging in: {error}") from error


def _password(device: OpcUaDevice) -> str:
    if device.password is not None:
        return device.password.read()
    if device.password_file is None:
        return ""
    try:
        return device.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotConnected(f"password file {device.password_file}: {error.strerror}") from error


async def _secure(calls: Calls, device: OpcUaDevice) -> datetime.datetime:
    """Choose how to secure the channel, and check who answers. Returns when the first certificate ends."""
    offered = await endpoints_of(calls.endpoint, calls.timeout_s)
    policy, mode, endpoint = choose(device, offered)
    server = certificate_of(endpoint)
    if server is None:
        raise NotConnected(f"{calls.endpoint}: it shows no certificate for {policy}")
    pki = Pki(device.folder)
    await asyncio.to_thread(_check, pki, device, calls.endpoint, server, str(endpoint.Server.ApplicationUri))
    own = await asyncio.to_thread(_own, pki)
    calls.client.application_uri = uri_of(own)
    files = (str(pki.certificate_file), str(pki.key_file))
    await calls.limited(
        calls.client.set_security(_POLICIES[policy], *files, server_certificate=_der(server), mode=mode)
    )
    return min(own.not_valid_after_utc, server.not_valid_after_utc)


def _check(pki: Pki, device: OpcUaDevice, endpoint: str, server: x509.Certificate, uri: str) -> None:
    host = urlsplit(endpoint).hostname if device.check_host else None
    try:
        pki.check(server, uri, host, datetime.datetime.now(datetime.UTC))
    except Untrusted as error:
        _remember(pki, server)
        hint = ". If it is the right one: anshao opcua trust SITE DEVICE" if error.is_stranger else ""
        raise NotConnected(
            f"{endpoint}: the server's certificate is refused: {error} ({describe(server)}){hint}"
        ) from error
    except (OSError, ValueError) as error:
        raise NotConnected(f"certificates in {pki.folder}: {error}") from error


def _remember(pki: Pki, server: x509.Certificate) -> None:
    try:
        pki.reject(server)
    except OSError:
        return  # a full disk must not hide why the server is refused


def _own(pki: Pki) -> x509.Certificate:
    try:
        return pki.own().certificate
    except (OSError, ValueError) as error:
        raise NotConnected(f"our own certificate in {pki.folder}: {error}") from error


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)
