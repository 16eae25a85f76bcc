"""Whom TLS trusts besides the right CA: names, revoked certificates, and questions that come late.

Webhooks, DUIS and RabbitMQ share the context; it is tried here through webhooks and DUIS.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from support.mutual import Mutual
from support.posthandshake import asking_late
from support.receivers import talking
from support.tlslistener import TlsListener

from adapters.duis.delivery import DuisAdapter
from adapters.tls import TlsFiles, TlsFilesError, Trust
from adapters.webhook import WebhookAdapter
from router.ports import ChannelFault, Closed, Delivered, Delivery, Outcome

Make = Callable[[int], Delivery]
NOW = datetime.now(UTC)
AN_HOUR = timedelta(hours=1)


async def posted(url: str, delivery: Delivery, **options: object) -> Outcome:
    adapter = WebhookAdapter(WebhookAdapter.Config.model_validate({"url": url, **options}))
    async with asyncio.timeout(30), adapter:
        (outcome,) = await adapter.deliver([delivery])
    return outcome


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    file.write_bytes(ca.cert_pem.bytes())
    return file


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


# --- a name that stands in the wrong place ----------------------------------------------------


def signed_by(ca: trustme.CA) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = load_pem_private_key(ca.private_key_pem.bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return x509.load_pem_x509_certificate(ca.cert_pem.bytes()), key


def named_in_its_subject_alone(ca: trustme.CA, name: str, folder: Path) -> ssl.SSLContext:
    """A server as they were certified twenty years ago."""
    issuer, ca_key = signed_by(ca)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(issuer.subject, subject, key.public_key(), 7)
    builder = builder.not_valid_before(NOW - AN_HOUR).not_valid_after(NOW + AN_HOUR)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    builder = builder.add_extension(issued_by, critical=False)  # Python 3.13 asks for it
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(ca_key, SHA256()).public_bytes(Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_with_a_common_name_only_is_refused_by_name(
    delivery: Make, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    tls = named_in_its_subject_alone(ca, "localhost", tmp_path)
    async with talking(None, tls) as line:
        url = f"https://localhost:{line.port}/"
        outcome = await posted(url, delivery(1), ca_file=ca_file)
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.ENDPOINT
    assert "not valid for 'localhost'" in outcome.detail
    assert "a common name does not" in outcome.detail
    assert line.got == b""


# --- revoked certificates ---------------------------------------------------------------------


def revoking(
    ca: trustme.CA, certificates: Sequence[trustme.LeafCert], until: datetime = NOW + AN_HOUR
) -> bytes:
    """The CA's list of these, which holds until then."""
    issuer, key = signed_by(ca)
    builder = x509.CertificateRevocationListBuilder(issuer.subject)
    builder = builder.last_update(NOW - 2 * AN_HOUR).next_update(until)
    for each in certificates:
        shown = x509.load_pem_x509_certificate(each.cert_chain_pems[0].bytes())
        entry = x509.RevokedCertificateBuilder(shown.serial_number, NOW - AN_HOUR)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


async def test_a_revoked_certificate_closes_the_lane_until_there_is_another(
    delivery: Make, tmp_path: Path
) -> None:
    mutual = Mutual(tmp_path / "tls", theirs=trustme.CA(key_type=trustme.KeyType.ECDSA))
    good, bad = (mutual.theirs.issue_cert("127.0.0.1") for _ in range(2))
    crl_file = tmp_path / "revoked.pem"
    crl_file.write_bytes(revoking(mutual.theirs, [bad]))
    with TlsListener(mutual.server(bad)) as receiver:
        options = {**mutual.options(receiver.url), "crl_file": crl_file}
        async with DuisAdapter(DuisAdapter.Config.model_validate(options)) as adapter:
            (outcome,) = await adapter.deliver([delivery(1)])
            assert isinstance(outcome, Closed)
            assert outcome.reason is ChannelFault.ENDPOINT
            assert "certificate revoked" in outcome.detail
            assert receiver.got == b""
            receiver.tls = mutual.server(good)
            assert await adapter.deliver([delivery(1)]) == [Delivered("204")]
            # and a list that came later is heeded without a restart
            crl_file.write_bytes(revoking(mutual.theirs, [good, bad]))
            (outcome,) = await adapter.deliver([delivery(1)])
    assert isinstance(outcome, Closed)
    assert "certificate revoked" in outcome.detail


async def test_a_list_of_another_ca_is_told_as_that(
    delivery: Make, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    crl_file = tmp_path / "revoked.pem"
    crl_file.write_bytes(revoking(trustme.CA(key_type=trustme.KeyType.ECDSA), []))
    async with talking(None, server_tls(ca.issue_cert("127.0.0.1"))) as line:
        url, files = f"https://127.0.0.1:{line.port}/", {"ca_file": ca_file, "crl_file": crl_file}
        outcome = await posted(url, delivery(1), **files)
    assert isinstance(outcome, Closed)
    assert "`crl_file` has no list of the CA that issued it" in outcome.detail


async def test_the_lists_of_a_whole_chain_are_asked(
    delivery: Make, ca: trustme.CA, ca_file: Path, tmp_path: Path
) -> None:
    middle = ca.create_child_ca(key_type=trustme.KeyType.ECDSA)
    both = revoking(ca, []) + b"\nbetween them\n" + revoking(middle, [])
    crl_file = tmp_path / "revoked.pem"
    tls = server_tls(middle.issue_cert("127.0.0.1"))
    for lists, delivered in ((both, True), (revoking(middle, []), False)):
        crl_file.write_bytes(lists)
        with TlsListener(tls) as receiver:
            outcome = await posted(receiver.url, delivery(1), ca_file=ca_file, crl_file=crl_file)
        assert isinstance(outcome, Delivered) == delivered


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _: None, "is missing"),
        (lambda _: b"", "holds no revocation list in PEM (from DER: openssl crl"),
        (lambda ca: ca.cert_pem.bytes(), "holds no revocation list in PEM"),
        (
            lambda _: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            "holds a revocation list that can't be read",
        ),
        (
            lambda ca: revoking(ca, []) + b"-----BEGIN X509 CRL-----\nAAAA\n",
            "is cut: a revocation list in it has no end; fetch it again",
        ),
        (
            lambda _: b"-----BEGIN X509 CRL-----\n" * 100_000,
            "is cut: a revocation list in it has no end",
        ),
        (
            lambda ca: revoking(ca, [], NOW - AN_HOUR),
            f"after {NOW - AN_HOUR:%Y-%m-%d %H:%M} UTC; fetch its newest",
        ),
    ],
    ids=["missing", "empty", "a certificate", "damaged", "cut", "cut often", "over"],
)
async def test_lists_that_are_of_no_use_are_named(
    ca: trustme.CA, tmp_path: Path, make: Callable[[trustme.CA], bytes | None], why: str
) -> None:
    crl_file = tmp_path / "revoked.pem"
    if (content := make(ca)) is not None:
        crl_file.write_bytes(content)
    options = {"url": "https://acme.example/", "crl_file": crl_file}
    (unfit,) = WebhookAdapter.Config.model_validate(options).unfit()
    assert unfit.key == "crl_file"
    assert str(crl_file) in unfit.message
    assert why in unfit.message
    with pytest.raises(TlsFilesError) as caught:
        await Trust(TlsFiles(crl_file=crl_file)).context()
    assert caught.value.option == "crl_file"


def test_an_old_list_beside_the_newest_of_its_ca_does_no_harm(
    ca: trustme.CA, tmp_path: Path
) -> None:
    crl_file = tmp_path / "revoked.pem"
    crl_file.write_bytes(revoking(ca, [], NOW - AN_HOUR) + revoking(ca, []))
    assert TlsFiles(crl_file=crl_file).faults() == []
    assert TlsFiles(crl_file=crl_file).expiry() == (NOW + AN_HOUR).replace(microsecond=0)


# --- a certificate that is asked for late -----------------------------------------------------


async def test_who_asks_for_our_certificate_after_the_request_gets_it(
    delivery: Make, tmp_path: Path
) -> None:
    mutual = Mutual(tmp_path / "tls")
    with asking_late(mutual.server()) as receiver:
        options = DuisAdapter.Config.model_validate(mutual.options(receiver.url))
        async with asyncio.timeout(30), DuisAdapter(options) as adapter:
            outcomes = await adapter.deliver([delivery(1)])
    assert outcomes == [Delivered("200")]
    assert receiver.saw == ["dcc.example"]


async def test_who_does_not_accept_it_then_closes_the_lane(delivery: Make, tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    mutual.show(trustme.CA().issue_cert("dcc.example"))
    with asking_late(mutual.server()) as receiver:
        options = DuisAdapter.Config.model_validate(mutual.options(receiver.url))
        async with asyncio.timeout(30), DuisAdapter(options) as adapter:
            (outcome,) = await adapter.deliver([delivery(1)])
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert "does not accept our certificate" in outcome.detail


async def test_who_has_none_to_show_is_told_so(
    delivery: Make, ca: trustme.CA, ca_file: Path
) -> None:
    with asking_late(server_tls(ca.issue_cert("127.0.0.1"))) as receiver:
        outcome = await posted(receiver.url, delivery(1), ca_file=ca_file)
    assert isinstance(outcome, Closed)
    assert outcome.reason is ChannelFault.CREDENTIALS
    assert receiver.saw == [None]
