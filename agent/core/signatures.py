"""Ed25519 signatures: who made a file, told by the public keys that a site trusts.

A public key is base64 of 32 octets, a signature base64 of 64; a private key is PEM (PKCS 8). Synchronous, no files.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from agent.core.errors import NotAllowed

_KEY_OCTETS, _SIGNATURE_OCTETS = 32, 64
_MOST_SIGNATURES = 16


def _checked(text: str) -> str:
    if len(_octets(text)) != _KEY_OCTETS:
        raise ValueError(f"{text!r} is no public key; write the line that 'anshao models keygen' prints")
    return text


PublicKey = Annotated[str, AfterValidator(_checked)]


def signer(content: bytes, signatures: str, trusted: Mapping[str, str]) -> str:
    """Return whose signature of ``content`` is among the lines of ``signatures``; nothing when it is nobody's."""
    from cryptography.exceptions import InvalidSignature  # workers need none of it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    made = [_octets(line) for line in signatures.split()[:_MOST_SIGNATURES]]
    for name, key in trusted.items():
        for signature in (each for each in made if len(each) == _SIGNATURE_OCTETS):
            try:
                Ed25519PublicKey.from_public_bytes(_octets(key)).verify(signature, content)
            except InvalidSignature:
                continue
            return name
    return ""


def new_key(passphrase: str = "") -> tuple[bytes, str]:
    """Return a private key, encrypted if there is a passphrase, and its public key."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    locked = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)
    return pem, base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(content: bytes, pem: bytes, passphrase: str = "") -> tuple[str, str]:
    """Return the signature, and the public key that it can be verified with. Raises NotAllowed for another key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, passphrase.encode() or None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotAllowed(f"the private key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotAllowed("the private key is no Ed25519 key; make one with 'anshao models keygen'")
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    return base64.b64encode(key.sign(content)).decode(), public


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
