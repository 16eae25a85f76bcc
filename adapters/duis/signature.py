"""The DCC's signature under a DUIS message: enveloped XML signature, ECDSA P-256 with SHA-256.

Canonicalisation and signing are signxml's. Its parameters are those of the messages that the DCC's
tool (npm `@smartdcc/duis-sign-wrap` 0.1.2) makes and checks: `URI=""`, exclusive C14N, and an
X509IssuerSerial alone to name the certificate. ECDSA is random: the same document signed twice
gives other bytes, so a document is signed once and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from router.ports import Originator, exposure, open_plain, require_private, unreadable

NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"
KEY, CERTIFICATE = "signing_key_file", "signing_certificate_file"
LARGEST = 65_536
"""Bytes of a key or certificate file; either has less than a tenth of it."""


class SigningError(Exception):
    """A key or certificate is of no use: which key of `dcc:` names it, and why."""

    def __init__(self, option: str, why: str) -> None:
        super().__init__(f"{option}: {why}")
        self.option = option
        self.why = why


class DocumentSigner:
    """The DCC's key with its certificate."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate
        self._key_info = _key_info(certificate)
        self._signing = XMLSigner(
            signature_algorithm=SignatureMethod.ECDSA_SHA256,
            digest_algorithm=DigestAlgorithm.SHA256,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )

    @property
    def expires_at(self) -> datetime:
        """Until when the certificate holds; receivers refuse what is signed later."""
        return self._certificate.not_valid_after_utc

    def fault(self, now: datetime) -> SigningError | None:
        """Why receivers would refuse what is signed now; None while they have no reason."""
        subject = self._certificate.subject.rfc4514_string()
        if self.expires_at < now:
            why = f"the certificate of {subject} expired on {_day(self.expires_at)}"
            return SigningError(CERTIFICATE, f"{why}; put a new one in its place")
        begins = self._certificate.not_valid_before_utc
        if begins > now:
            why = f"the certificate of {subject} does not hold before {_day(begins)}"
            return SigningError(CERTIFICATE, f"{why}; compare the machine's clock")
        return None

    def sign(self, document: etree._Element) -> bytes:
        """The document with its signature as its last element, as it is to be sent."""
        signed = self._signing.sign(document, key=self._key, key_info=deepcopy(self._key_info))
        return etree.tostring(signed, encoding="UTF-8", xml_declaration=True)


def load(originator: Originator) -> DocumentSigner:
    """The signer of `dcc:`; the same for all channels, read again when a file has changed.

    SigningError when a file is missing or unfit. An expired certificate is loaded: `Signer.fault`
    tells it, as it may expire at any time.
    """
    key_file = _given(KEY, originator.signing_key_file)
    certificate_file = _given(CERTIFICATE, originator.signing_certificate_file)
    return _load(key_file, certificate_file, stamp(originator))


def faults(originator: Originator) -> list[SigningError]:
    """Everything that keeps `load` from it; at most one for each file."""
    found = _fault(lambda: _key(_given(KEY, originator.signing_key_file)))
    found += _fault(lambda: _certificate(_given(CERTIFICATE, originator.signing_certificate_file)))
    return found or _fault(lambda: load(originator))


def doubts(originator: Originator) -> list[SigningError]:
    """What is doubtful about files that are of use."""
    file = originator.signing_key_file
    doubt = exposure(file) if file is not None else None
    return [SigningError(KEY, doubt)] if doubt else []


def _given(option: str, file: Path | None) -> Path:
    if file is None:
        raise SigningError(option, "is missing; DUIS messages are signed")
    return file


def _fault(check: Callable[[], object]) -> list[SigningError]:
    try:
        check()
    except SigningError as error:
        return [error]
    return []


def stamp(originator: Originator) -> tuple[tuple[int, ...] | None, ...]:
    """Changes when a file is written, replaced, opened or closed to others."""
    files = (originator.signing_key_file, originator.signing_certificate_file)
    return tuple(_stamp(file) for file in files if file is not None)


@lru_cache(maxsize=2)  # reading PEM takes longer than signing, and every channel has the same DCC
def _load(key_file: Path, certificate_file: Path, _stamp: object) -> DocumentSigner:
    key, certificate = _key(key_file), _certificate(certificate_file)
    if key.public_key() != certificate.public_key():
        why = f"{key_file} is not the key of the certificate in {certificate_file}"
        raise SigningError(KEY, why)
    return DocumentSigner(key, certificate)


def _key(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        require_private(file)
    except ValueError as error:
        raise SigningError(KEY, str(error)) from None
    try:
        key = load_pem_private_key(_read(KEY, file), password=None)
    except TypeError:
        why = f"{file} wants a password; give the key without one, closed to others"
        raise SigningError(KEY, why) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningError(KEY, f"{file} holds no PEM key that can be used") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SigningError(KEY, f"{file} is not a key of the curve P-256, which DUIS wants")
    return key


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(CERTIFICATE, file))
    except ValueError:
        raise SigningError(CERTIFICATE, f"{file} holds no PEM certificate") from None


def _read(option: str, file: Path) -> bytes:
    try:
        with open_plain(file) as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise SigningError(option, unreadable(file, error)) from None
    if len(content) > LARGEST:
        raise SigningError(option, f"{file} is too large")
    return content


def _stamp(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode


def _key_info(certificate: x509.Certificate) -> etree._Element:
    """Names the certificate by its issuer and serial number, as the DCC's messages do."""
    info = etree.Element(f"{{{NAMESPACE}}}KeyInfo", nsmap={"ds": NAMESPACE})
    data = etree.SubElement(info, f"{{{NAMESPACE}}}X509Data")
    named = etree.SubElement(data, f"{{{NAMESPACE}}}X509IssuerSerial")
    issuer = etree.SubElement(named, f"{{{NAMESPACE}}}X509IssuerName")
    issuer.text = certificate.issuer.rfc4514_string()
    serial = etree.SubElement(named, f"{{{NAMESPACE}}}X509SerialNumber")
    serial.text = str(certificate.serial_number)
    return info


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
