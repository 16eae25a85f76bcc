"""Whether a DUIS message bears the signature of a certificate: for `hubherald alerts verify`.

Verified by signxml, within narrower limits than its own: our algorithms, one reference that covers
the whole message, and a certificate that held when the message was made. Inbound XML with a DTD or
entities is refused there.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest, InvalidSignature, SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from adapters.duis import document, signature
from router.ports import SignatureError

_SIGNED = {"sr": document.NAMESPACE, "ds": signature.NAMESPACE}


def verify(message: bytes, certificate: bytes) -> str:
    """What is signed, and by whom, for people. SignatureError says why it is not valid."""
    shown = _certificate(certificate)
    try:
        signed = _verified(message, shown)
    except etree.XMLSyntaxError as error:
        raise SignatureError(f"not valid: it is no XML ({error})") from None
    except (SignXMLException, etree.LxmlError, ValueError, KeyError) as error:
        raise SignatureError(_why(error, message, shown)) from None
    assert signed.signed_xml is not None, "it was parsed before"
    header = signed.signed_xml.find("./sr:Header", _SIGNED)
    if etree.QName(signed.signed_xml).text != f"{{{document.NAMESPACE}}}Response" or header is None:
        raise SignatureError("not valid: what is signed is not a DUIS Response")
    _require_named(signed.signature_xml, shown)
    made = _require_in_time(header.findtext("./sr:ResponseDateTime", "", _SIGNED), shown)
    number = header.findtext("./sr:ResponseID", "without ResponseID", _SIGNED)
    return f"valid: {number} of {made}, signed by {_named(shown)}"


def _verified(message: bytes, certificate: x509.Certificate) -> VerifyResult:
    expected = SignatureConfiguration(
        location="./",
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        # what XML Signature means when a reference names no canonicalisation, as the DCC's don't
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
        # whether it held is asked of the moment when the message was made, which is signed
        verification_time=certificate.not_valid_after_utc,
    )
    found = XMLVerifier().verify(message, x509_cert=certificate, expect_config=expected)
    assert isinstance(found, VerifyResult), "one reference, one result"
    return found


def _certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise SignatureError("the certificate file holds no PEM certificate") from None


def _why(error: Exception, message: bytes, certificate: x509.Certificate) -> str:
    if _unsigned(message):
        return "not valid: it has no signature"
    match error:
        case InvalidDigest():
            why = "what it says was changed after it was signed"
        case InvalidSignature():
            why = "the signature was made by another key, or changed"
        case _:
            why = " ".join(str(error).split())
    return f"not valid for {_named(certificate)}: {why}"


def _unsigned(message: bytes) -> bool:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(message, parser)
    return root.find("./ds:Signature", _SIGNED) is None


def _require_named(signed: etree._Element, certificate: x509.Certificate) -> None:
    """Receivers look the certificate up by this number, which the signature does not cover."""
    serial = signed.findtext(".//ds:X509SerialNumber", "", _SIGNED)
    if serial.strip() != str(certificate.serial_number):
        why = f"it names the certificate with serial number {serial.strip() or '(none)'}"
        raise SignatureError(f"not valid for {_named(certificate)}: {why}")


def _require_in_time(text: str, certificate: x509.Certificate) -> str:
    try:
        made = datetime.fromisoformat(text)
        held = certificate.not_valid_before_utc <= made <= certificate.not_valid_after_utc
    except (ValueError, TypeError):
        raise SignatureError(f"not valid: ResponseDateTime {text!r} is no moment") from None
    if not held:
        why = f"the certificate did not hold at {text}"
        raise SignatureError(f"not valid for {_named(certificate)}: {why}")
    return text


def _named(certificate: x509.Certificate) -> str:
    subject, issuer = (name.rfc4514_string() for name in (certificate.subject, certificate.issuer))
    return f"{subject} (issuer {issuer}, serial number {certificate.serial_number})"
