"""The DCC's key and certificate: taken, refused, exchanged, expired; and what becomes of Alerts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.commandline import call
from support.keypair import DCC, NOW, KeyPair

from adapters.duis.document import build
from adapters.duis.rendering import Renderer, unfit_originator, unfit_recipient
from adapters.duis.signature import load
from adapters.duis.verification import verify
from router.errors import SignatureError
from router.ports import (
    Alert,
    ChannelFault,
    Closed,
    Delivery,
    Originator,
    Reason,
    Recipient,
    Refused,
    RenderError,
    Unfit,
)

USER = Recipient("90-B3-D5-1F-30-01-00-01", "5.4")
KEY, CERTIFICATE = "signing_key_file", "signing_certificate_file"


@pytest.fixture
def pair(tmp_path: Path) -> KeyPair:
    return KeyPair(tmp_path)


@pytest.fixture
def alert(delivery: Callable[[int], Delivery]) -> Alert:
    return delivery(7).alert


def renderer(pair: KeyPair, now: Callable[[], datetime] = lambda: NOW) -> Renderer:
    return Renderer(pair.originator, USER, now)


def outcome(renderer: Renderer, alert: Alert) -> Refused | Closed:
    with pytest.raises(RenderError) as caught:
        renderer.render(alert)
    return caught.value.outcome


def signed_by(pair: KeyPair, message: bytes) -> bool:
    try:
        return verify(message, pair.certificate_file.read_bytes()).startswith("valid: ")
    except SignatureError:
        return False


def test_what_is_rendered_is_valid_for_its_certificate(pair: KeyPair, alert: Alert) -> None:
    message = renderer(pair).render(alert)
    assert message.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<sr:Response ")
    said = verify(message, pair.certificate_file.read_bytes())
    number = f"{DCC}:{USER.id}:7"
    assert said.startswith(f"valid: {number} of 2026-02-01T00:01:00.000Z, signed by CN=DCC of a ")


def test_two_signatures_of_one_document_differ(pair: KeyPair, alert: Alert) -> None:
    """Which is why bytes are stored."""
    one = renderer(pair)
    assert one.render(alert) != one.render(alert)


def test_a_signature_names_the_certificate_and_nothing_else(pair: KeyPair, alert: Alert) -> None:
    message = renderer(pair).render(alert)
    info = message.partition(b"<ds:KeyInfo>")[2].partition(b"</ds:KeyInfo>")[0]
    assert info.startswith(b"<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=Z1")
    assert b"X509Certificate" not in message and b"KeyValue" not in message
    assert b'<ds:Reference URI="">' in message
    for algorithm in (b"2001/10/xml-exc-c14n#", b"#ecdsa-sha256", b"xmlenc#sha256", b"#enveloped"):
        assert algorithm in message


def test_the_key_is_read_once_for_all_channels(pair: KeyPair) -> None:
    assert load(pair.originator) is load(pair.originator)


def test_what_no_document_can_hold_is_refused_and_blames_no_other(
    pair: KeyPair, alert: Alert
) -> None:
    one = renderer(pair)
    refused = outcome(one, replace(alert, firmware_version="\0"))
    assert refused == Refused(
        Reason.REJECTED, "FirmwareVersion '\\x00' has characters that XML can't hold"
    )
    assert signed_by(pair, one.render(alert))


# --- keys and certificates ------------------------------------------------------------------


def _open(pair: KeyPair) -> None:
    pair.key_file.chmod(0o644)


def _remove_key(pair: KeyPair) -> None:
    pair.key_file.unlink()


def _remove_certificate(pair: KeyPair) -> None:
    pair.certificate_file.unlink()


def _another_key(pair: KeyPair) -> None:
    before = pair.certificate_file.read_bytes()
    pair.write(key=ec.generate_private_key(ec.SECP256R1()))
    pair.certificate_file.write_bytes(before)


def _no_key(pair: KeyPair) -> None:
    pair.key_file.write_text("no key")


def _no_certificate(pair: KeyPair) -> None:
    pair.certificate_file.write_text("no certificate")


def _large(pair: KeyPair) -> None:
    pair.certificate_file.write_bytes(b"x" * 100_000)


@pytest.mark.parametrize(
    ("spoil", "option", "why"),
    [
        (_open, KEY, "others may open {key} (mode 0644); run: chmod 600 {key}"),
        (_remove_key, KEY, "{key} cannot be read: No such file or directory"),
        (_remove_certificate, CERTIFICATE, "{certificate} cannot be read: No such file"),
        (_another_key, KEY, "{key} is not the key of the certificate in {certificate}"),
        (_no_key, KEY, "{key} holds no PEM key that can be used"),
        (_no_certificate, CERTIFICATE, "{certificate} holds no PEM certificate"),
        (_large, CERTIFICATE, "{certificate} is too large"),
        (lambda pair: pair.write(password=b"x"), KEY, "{key} wants a password"),
        (
            lambda pair: pair.write(key=ec.generate_private_key(ec.SECP384R1())),
            KEY,
            "{key} is not a key of the curve P-256, which DUIS wants",
        ),
        (
            lambda pair: pair.write(key=rsa.generate_private_key(65537, 2048)),
            KEY,
            "{key} is not a key of the curve P-256, which DUIS wants",
        ),
    ],
)
def test_an_unfit_file_is_named_and_closes_the_lane(
    spoil: Callable[[KeyPair], None], option: str, why: str, pair: KeyPair, alert: Alert
) -> None:
    spoil(pair)
    expected = why.format(key=pair.key_file, certificate=pair.certificate_file)
    (unfit,) = unfit_originator(pair.originator, NOW)
    assert (unfit.key, unfit.warning) == (option, False)
    assert unfit.message.startswith(expected)
    one = renderer(pair)
    closed = outcome(one, alert)
    assert isinstance(closed, Closed)
    assert closed.reason is ChannelFault.CREDENTIALS
    assert closed.detail.startswith(f"dcc.{option}: {expected}")
    assert one.certificates() == []
    pair.write(key=ec.generate_private_key(ec.SECP256R1()))
    assert signed_by(pair, one.render(alert))  # mended, without a restart


def test_files_that_are_not_named_are_missing() -> None:
    why = "is missing; DUIS messages are signed"
    assert unfit_originator(Originator(DCC)) == [Unfit(KEY, why), Unfit(CERTIFICATE, why)]


def test_an_expired_certificate_closes_the_lane_and_is_unfit(pair: KeyPair, alert: Alert) -> None:
    pair.write(ends=NOW - timedelta(seconds=1))
    why = "the certificate of CN=DCC of a test expired on 2026-02-01 11:59 UTC; put a new one in "
    (unfit,) = unfit_originator(pair.originator, NOW)
    assert (unfit.key, unfit.warning) == (CERTIFICATE, False)
    assert unfit.message.startswith(why)
    one = renderer(pair)
    closed = outcome(one, alert)
    assert closed.reason is ChannelFault.CREDENTIALS
    assert closed.detail.startswith(f"dcc.{CERTIFICATE}: {why}")
    pair.write()
    assert signed_by(pair, one.render(alert))


def test_a_certificate_of_tomorrow_is_not_used_today(pair: KeyPair, alert: Alert) -> None:
    pair.write(begins=NOW + timedelta(days=1))
    assert "does not hold before 2026-02-02 12:00 UTC" in outcome(renderer(pair), alert).detail


def test_a_certificate_expires_while_it_is_in_use(pair: KeyPair, alert: Alert) -> None:
    moment = [NOW]
    one = renderer(pair, lambda: moment[0])
    assert signed_by(pair, one.render(alert))
    (certificate,) = one.certificates()
    assert (certificate.use, certificate.expires_at) == ("signing", NOW + timedelta(days=3650))
    moment[0] = certificate.expires_at + timedelta(seconds=1)
    assert "expired on" in outcome(one, alert).detail


@pytest.mark.parametrize(("days", "warned"), [(31, False), (29, True)])
def test_a_certificate_asks_to_be_renewed_a_month_before(
    days: int, warned: bool, pair: KeyPair
) -> None:
    pair.write(ends=NOW + timedelta(days=days))
    found = unfit_originator(pair.originator, NOW)
    assert [each.warning for each in found] == [True] * warned


def test_a_new_key_pair_is_taken_up_and_the_old_one_serves_meanwhile(
    pair: KeyPair, alert: Alert, tmp_path: Path
) -> None:
    one = renderer(pair)
    old = KeyPair(tmp_path, "old")
    old.certificate_file.write_bytes(pair.certificate_file.read_bytes())
    assert signed_by(old, one.render(alert))
    new = KeyPair(tmp_path, "new")
    pair.key_file.write_bytes(new.key_file.read_bytes())  # the certificate comes a moment later
    assert signed_by(old, one.render(alert))
    pair.certificate_file.write_bytes(new.certificate_file.read_bytes())
    assert signed_by(new, one.render(alert))


def test_a_user_needs_a_version() -> None:
    assert unfit_recipient(USER) == []
    (unfit,) = unfit_recipient(Recipient(USER.id))
    assert (unfit.key, unfit.warning) == ("duis_version", False)


# --- verify ---------------------------------------------------------------------------------


def test_verify_says_why_a_message_is_not_valid(
    pair: KeyPair, alert: Alert, tmp_path: Path
) -> None:
    message, certificate = renderer(pair).render(alert), pair.certificate_file.read_bytes()
    head, _, rest = message.partition(b"<ds:Signature")
    unsigned = head + rest.rpartition(b"</ds:Signature>")[2]
    serial = message.replace(b"X509SerialNumber>", b"X509SerialNumber>1", 1)
    entity = b'<!DOCTYPE a [<!ENTITY b "c">]>'
    other = KeyPair(tmp_path, "other").certificate_file.read_bytes()
    for given, shown, why in (
        (b"hello", certificate, "it is no XML"),
        (b"", certificate, "it is no XML"),
        (unsigned, certificate, "it has no signature"),
        (message, other, "made by another key"),
        (message, b"", "holds no PEM certificate"),
        (serial, certificate, "it names the certificate with serial number 1"),
        (message.replace(b"?>", b"?>" + entity, 1), certificate, "DTD"),
    ):
        with pytest.raises(SignatureError) as caught:
            verify(given, shown)
        assert why in str(caught.value), why
        assert "\n" not in str(caught.value)


def test_verify_asks_whether_the_certificate_held_when_the_message_was_made(
    pair: KeyPair, alert: Alert
) -> None:
    pair.write(ends=alert.decided_at - timedelta(days=1))
    message = load(pair.originator).sign(build(alert, USER))
    with pytest.raises(SignatureError, match="did not hold at 2026-02-01T00:01:00"):
        verify(message, pair.certificate_file.read_bytes())


def test_verify_at_the_command_line(pair: KeyPair, alert: Alert, tmp_path: Path) -> None:
    message = tmp_path / "alert.xml"
    message.write_bytes(renderer(pair).render(alert))
    command = ("alerts", "verify", "-", "--certificate", pair.certificate_file)
    valid = call(*command, given=message.read_bytes())
    assert (valid.exit_code, valid.stdout.startswith("valid: ")) == (0, True)
    changed = call(*command, given=message.read_bytes().replace(b"N64", b"N65"))
    assert (changed.exit_code, changed.stdout) == (1, "")
    assert "not valid for CN=DCC of a test" in changed.stderr
