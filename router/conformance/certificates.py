"""Certificates for tests: good ones, and each kind of bad one."""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from router.conformance.situations import Situation

HERE = ("localhost", "127.0.0.1")
"""The names of this machine, that good certificates are for."""
_USES = dict.fromkeys(
    (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    ),
    False,
)


class CertificateAuthority:
    """A CA, with its certificate in a file, and servers that it vouches for, or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Conformance CA")
        self._certificate = self._issue("", self._key.public_key(), ca=True)
        self.file = folder / "conformance-ca.pem"
        """PEM, for an option such as `ca_file`."""
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, situation: Situation, clients: Path | None = None) -> ssl.SSLContext | None:
        """What a server on this machine has for TLS in one of `SECURE`; None for `PLAIN`.

        `clients`: a file with the CAs of the clients' certificates, that it then asks for.
        """
        if situation is Situation.PLAIN:
            return None
        if situation is Situation.UNTRUSTED:
            stranger = self._folder / "stranger"
            stranger.mkdir(exist_ok=True)
            return CertificateAuthority(stranger).server(Situation.TLS, clients)
        names = ("elsewhere.example",) if situation is Situation.MISNAMED else HERE
        days = -1 if situation is Situation.EXPIRED else 1
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue(names, days=days))
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        if situation is Situation.OUTDATED:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = ssl.TLSVersion.TLSv1_1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context

    def issue(self, names: tuple[str, ...] = HERE, *, days: int = 1) -> Path:
        """A new key and a certificate for these names, both in one PEM file that nobody else may
        read; it ends in so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(names[0], key.public_key(), names, days)
        file = self._folder / f"{names[0]}-{certificate.serial_number:x}.pem"
        file.touch(mode=0o600)
        pem = serialization.Encoding.PEM
        private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(key.private_bytes(pem, *private) + certificate.public_bytes(pem))
        return file

    def _issue(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        names: tuple[str, ...] = (),
        days: int = 1,
        *,
        ca: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        signs = {"digital_signature": not ca, "key_cert_sign": ca, "crl_sign": ca}
        own, above = x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier
        made = (
            x509.CertificateBuilder()
            .subject_name(_named(name) if name else self._name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**signs, **_USES), critical=True)
            .add_extension(own.from_public_key(key), critical=False)
            .add_extension(above.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if names:
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            made = made.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            others = x509.SubjectAlternativeName([_alternative(each) for each in names])
            made = made.add_extension(others, critical=False)
        return made.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
