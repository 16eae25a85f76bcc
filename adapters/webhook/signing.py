"""Standard Webhooks signatures, with two keys while one takes over from the other.

A key is a secret that both sides share (`whsec_`, HMAC-SHA256) or a private one of ours alone
(`whsk_`, Ed25519), whose public half (`whpk_`) the receiver has.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import AfterValidator, SecretStr
from standardwebhooks import Webhook

from router.ports import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SHARED, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SHORTEST = 24
"""Bytes of a shared secret; the least that the Standard Webhooks specification allows."""
SEED = 32
"""Bytes of a private key; many write the public one, which is as long, behind it."""


def _usable(secret: SecretStr) -> SecretStr:
    # The message never holds the value: it is shown with the file's name and line.
    text = secret.get_secret_value()
    if text.startswith(PRIVATE):
        _private_key(text)
    elif text.startswith(PUBLIC):
        raise ValueError(f"is the receiver's half of the key; give the private one, {PRIVATE}...")
    elif not text.startswith(SHARED) or len(_decoded(text, SHARED)) < SHORTEST:
        raise ValueError(
            f"must be {SHARED} and base64 of {SHORTEST} bytes or more;"
            f' make one with: echo "{SHARED}$(openssl rand -base64 32)"'
            f" (or be {PRIVATE} and base64 of an Ed25519 key)"
        )
    return secret


def _decoded(text: str, prefix: str) -> bytes:
    encoded = text.removeprefix(prefix)
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _private_key(text: str) -> Ed25519PrivateKey:
    # only who signs so has to wait for this import
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    key = _decoded(text, PRIVATE)
    if len(key) not in {SEED, 2 * SEED}:
        raise ValueError(
            f"must be {PRIVATE} and base64 of an Ed25519 key of {SEED} bytes, or of it and its"
            f' public half; make one with: echo "{PRIVATE}$(openssl rand -base64 32)"'
        )
    found = Ed25519PrivateKey.from_private_bytes(key[:SEED])
    if key[SEED:] not in {b"", found.public_key().public_bytes_raw()}:
        raise ValueError("its second half is not the public key of the first; copy it again")
    return found


SigningSecret = Annotated[Secret, AfterValidator(_usable)]
"""`whsec_...`, as the receiver has it, or `whsk_...`, of which the receiver has the `whpk_...`."""


class _Signs(Protocol):
    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str: ...


class _Ed25519:
    """As `standardwebhooks.Webhook`, which knows shared secrets only."""

    def __init__(self, text: str) -> None:
        self._key = _private_key(text)

    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str:
        signed = f"{msg_id}.{int(timestamp.timestamp())}.{data}".encode()
        return f"v1a,{base64.b64encode(self._key.sign(signed)).decode()}"


def _signer(secret: SecretStr) -> _Signs:
    text = secret.get_secret_value()
    return _Ed25519(text) if text.startswith(PRIVATE) else Webhook(text)


class WebhookSigner:
    """Signs with every key; the receiver is content when one of the signatures is right."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = [_signer(secret) for secret in secrets]

    def headers(self, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
        """The timestamp is that of this attempt, so that receivers can refuse replays."""
        if not self._keys:
            return {}
        text = body.decode()
        signatures = [key.sign(message_id, now, text) for key in self._keys]
        return {
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
