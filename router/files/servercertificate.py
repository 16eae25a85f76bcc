"""The certificate that we show to whoever asks us over TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from router.files.keyfiles import require_private, unreadable


class UnfitPairError(ValueError):
    """A certificate or its key is of no use: which option names it, and why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"{option}: {why}")
        self.option = option


@dataclass(frozen=True, slots=True)
class ServerPair:
    """A certificate with its key, ready to be shown."""

    context: ssl.SSLContext
    """Of TLS 1.2 or later."""
    expires_at: datetime


def read_pair(certificate_file: Path, key_file: Path) -> ServerPair:
    """Read both. UnfitPairError when one is of no use."""
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - few need it

    try:
        if not certificate_file.is_file():
            raise ValueError("not a file")
        certificate, *_ = load_pem_x509_certificates(certificate_file.read_bytes())
    except OSError as error:
        why = f"{certificate_file} cannot be read: {error.strerror}"
        raise UnfitPairError("certificate_file", why) from None
    except ValueError:
        why = f"{certificate_file} holds no PEM certificate"
        raise UnfitPairError("certificate_file", why) from None
    expires_at = certificate.not_valid_after_utc
    if expires_at < datetime.now(UTC):
        why = f"{certificate_file} expired on {expires_at:%Y-%m-%d}"
        raise UnfitPairError("certificate_file", why)
    return ServerPair(_context(certificate_file, key_file), expires_at)


def _context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    try:
        require_private(key_file)
    except ValueError as error:
        raise UnfitPairError("key_file", str(error)) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # a key that wants a password must not have OpenSSL ask the terminal for it
        context.load_cert_chain(certificate_file, key_file, password="")
    except ssl.SSLError as error:
        why = f"{key_file} is no key that can be used, without a password"
        if error.reason == "KEY_VALUES_MISMATCH":
            why = f"{key_file} is not the key of the certificate in {certificate_file}"
        raise UnfitPairError("key_file", why) from None
    except OSError as error:
        raise UnfitPairError("key_file", unreadable(key_file, error)) from None
    except ValueError:
        why = f"{key_file} wants a password; give the key without one, closed to others"
        raise UnfitPairError("key_file", why) from None
    return context
