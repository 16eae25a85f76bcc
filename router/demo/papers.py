"""Keys and certificates made on the spot, to be thrown away with the demo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_HOLDS = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its certificate, in PEM."""

    key: bytes
    certificate: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """`name.key`, closed to others, and `name.pem`."""
        folder.mkdir(parents=True, exist_ok=True)
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        certificate.write_bytes(self.certificate)
        return key, certificate


class Authority:
    """A CA that nobody else trusts."""

    def __init__(self, name: str) -> None:
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _holding(self._name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, SHA256())
        )
        self.certificate = certificate.public_bytes(Encoding.PEM)
        """In PEM, for whoever is to trust it."""

    def issue(self, name: str, *, address: str | None = None) -> Pair:
        """A new key with a certificate for `name`; for a server, with its IP address."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = self._key.public_key()
        built = _holding(_named(name), self._name, key.public_key()).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
        )
        if address is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            built = built.add_extension(names, critical=False)
        return Pair(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            built.sign(self._key, SHA256()).public_bytes(Encoding.PEM),
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _holding(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _HOLDS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
