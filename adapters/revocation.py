"""Lists of revoked certificates (CRLs) in a PEM file: whether they can be used now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


class RevocationError(Exception):
    """Why the lists are of no use, without the name of the file."""


def valid_until(pem: bytes, now: datetime) -> datetime | None:
    """Until when each CA's newest list holds; None where none of them says.

    RevocationError unless every CA has one that holds now: OpenSSL would let nobody in on it, in
    words that blame the receiver's certificate.
    """
    # only who has such a file has to wait for this import
    from cryptography import x509  # noqa: PLC0415

    newest: dict[str, datetime | None] = {}
    try:
        for each in _lists(pem):
            found = x509.load_pem_x509_crl(each)
            issuer, until = found.issuer.rfc4514_string(), found.next_update_utc
            known = newest.get(issuer, until)
            newest[issuer] = max(known, until) if known and until else None
    except ValueError:
        raise RevocationError("holds a revocation list that can't be read") from None
    if not newest:
        hint = "from DER: openssl crl -inform DER -in FILE -out FILE.pem"
        raise RevocationError(f"holds no revocation list in PEM ({hint})")
    for issuer, until in newest.items():
        if until and until < now:
            when = f"{until:%Y-%m-%d %H:%M} UTC"
            raise RevocationError(f"holds no list of {issuer} after {when}; fetch its newest")
    return min((until for until in newest.values() if until), default=None)


def _lists(pem: bytes) -> Iterator[bytes]:
    """Each with its frame. RevocationError where one has no end, as a broken download leaves it."""
    begin = pem.find(_BEGIN)
    while begin >= 0:
        end = pem.find(_END, begin)
        following = pem.find(_BEGIN, begin + 1)
        if end < 0 or 0 <= following < end:
            raise RevocationError("is cut: a revocation list in it has no end; fetch it again")
        yield pem[begin : end + len(_END)]
        begin = following
