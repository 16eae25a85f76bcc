"""Standard Webhooks signatures, with two keys while one takes over from the other."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from standardwebhooks import Webhook

from router.ports import Secret

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes; the least that the Standard Webhooks specification allows."""


def _usable(secret: SecretStr) -> SecretStr:
    # The message never holds the value: it is shown with the file's name and line.
    text = secret.get_secret_value()
    encoded = text.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or len(key) < SHORTEST:
        raise ValueError(
            f"must be {PREFIX} and base64 of {SHORTEST} bytes or more;"
            f' make one with: echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return secret


SigningSecret = Annotated[Secret, AfterValidator(_usable)]
"""`whsec_...`, as the receiver has it."""


class WebhookSigner:
    """Signs with every key; the receiver is content when one of the signatures is right."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = [Webhook(secret.get_secret_value()) for secret in secrets]

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
