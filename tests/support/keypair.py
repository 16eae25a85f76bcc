"""Throw-away keys and certificates of a DCC, good and bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from router.ports import Originator

DCC = "90-B3-D5-1F-30-00-00-02"
NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
"""Within the time of every certificate that is not made otherwise."""
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class KeyPair:
    """The two files of `dcc:` in a folder, made anew as often as wished."""

    def __init__(self, folder: Path, name: str = "dcc") -> None:
        self.key_file, self.certificate_file = folder / f"{name}.key", folder / f"{name}.pem"
        self.key: Key = ec.generate_private_key(ec.SECP256R1())
        self.write()

    @property
    def originator(self) -> Originator:
        return Originator(DCC, self.key_file, self.certificate_file)

    @property
    def options(self) -> dict[str, str]:
        """The two as keys of `dcc:`."""
        return {
            "signing_key_file": str(self.key_file),
            "signing_certificate_file": str(self.certificate_file),
        }

    def write(
        self,
        *,
        key: Key | None = None,
        begins: datetime = NOW - timedelta(days=365),
        ends: datetime = NOW + timedelta(days=3650),
        password: bytes | None = None,
    ) -> None:
        self.key = key or self.key
        hidden = NoEncryption() if password is None else BestAvailableEncryption(password)
        self.key_file.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden))
        self.key_file.chmod(0o600)
        names = [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "07"),
            x509.NameAttribute(NameOID.COMMON_NAME, 'Z1, "<&> \u00e9'),
        ]
        issuer = x509.Name(names)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DCC of a test")]))
            .issuer_name(issuer)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )
        self.certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
