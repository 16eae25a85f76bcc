"""Every kind of message, held against the DCC's own validator and parser."""

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.dcc import Parser, Validator
from support.keypair import DCC, NOW, KeyPair
from support.servers import npm_package

from adapters.duis.rendering import Renderer
from adapters.duis.verification import verify
from router.errors import SignatureError
from router.ports import Alert, Delivery, Recipient

USER = "90-B3-D5-1F-30-01-00-01"
MESSAGES = [
    *((version, 7) for version in ("5.1", "5.2", "5.3", "5.4", "5.10", "6.0")),
    *((version, 7) for version in ("2.0", "4.0", "5.0")),
    *(("5.4", sequence) for sequence in (0, 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)),
    ("5.0", 2**64 - 1),
]
GOOD = "[I] passed xsd validation"
SIGNED = "[I] passed signature check [SUCCESS]"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return KeyPair(tmp_path_factory.mktemp("dcc"))


@pytest.fixture
def alert(delivery: Callable[[int], Delivery]) -> Alert:
    return delivery(7).alert


def rendered(alert: Alert, pair: KeyPair, version: str = "5.4") -> bytes:
    renderer = Renderer(pair.originator, Recipient(USER, version), lambda: NOW)
    return renderer.render(alert)


@pytest.mark.parametrize(("version", "sequence"), MESSAGES)
def test_the_dcc_takes_each_kind_of_message(
    *,
    version: str,
    sequence: int,
    alert: Alert,
    pair: KeyPair,
    validator: Validator,
    parser: Parser,
    tmp_path: Path,
) -> None:
    message = tmp_path / "message.xml"
    message.write_bytes(rendered(replace(alert, sequence=sequence), pair, version))
    said = validator.says(message, pair.certificate_file)
    assert said.startswith(GOOD) and said.endswith(SIGNED)
    parsed = parser.parse(message)
    assert parsed["header"] == {
        "type": "response",
        "responseCode": "I0",
        "responseDateTime": "2026-02-01T00:01:00.000Z",
        "responseId": {
            "originatorId": DCC.lower(),
            "targetId": USER.lower(),
            "counter": str(sequence),
        },
    }
    activation = {"DeviceID": alert.device_id, "FirmwareVersion": "01020304"}
    mismatch = {"DCCAlertCode": "N64", "DeviceID": alert.device_id}
    assert parsed["body"]["DCCAlertMessage"] == (
        {"DCCAlertCode": "N64", "DCCAlert": {"CommsHubFirmwareActivation": activation}}
        if version not in {"2.0", "4.0", "5.0"}
        else {
            "DCCAlertCode": "N999",
            "DCCAlert": {
                "DUISVersionMismatch": {
                    "DCCAlertVersionMismatch": mismatch,
                    "ServiceUserDUISVersion": version,
                }
            },
        }
    )


@pytest.mark.parametrize("text", ["<&>\"'", "\u202e\u200f", "a\tb\rc\nd", "]]>", "\U0001f600"])
def test_hostile_text_passes_as_text(
    text: str, alert: Alert, pair: KeyPair, validator: Validator, tmp_path: Path
) -> None:
    """Intake lets none of it in; if it did, no signature would break and nothing be injected."""
    message = tmp_path / "message.xml"
    message.write_bytes(rendered(replace(alert, firmware_version=text), pair))
    said = validator.says(message, pair.certificate_file)
    assert said.startswith(GOOD) and said.endswith(SIGNED)
    assert verify(message.read_bytes(), pair.certificate_file.read_bytes()).startswith("valid: ")


@pytest.mark.parametrize(
    ("change", "into"),
    [
        (b"N64", b"N63"),
        (b"01020304", b"01020305"),
        (b":7<", b":8<"),
        (b'schemaVersion="5.4"', b'schemaVersion="5.3"'),
        (b"00.000Z", b"01.000Z"),
    ],
)
def test_a_changed_message_is_found_out(
    *,
    change: bytes,
    into: bytes,
    alert: Alert,
    pair: KeyPair,
    validator: Validator,
    tmp_path: Path,
) -> None:
    good = rendered(alert, pair)
    assert good.count(change) == 1
    message = tmp_path / "message.xml"
    message.write_bytes(good.replace(change, into))
    said = validator.says(message, pair.certificate_file)
    assert said.startswith(GOOD) and said.endswith("failed signature check [VALIDATION_FAIL]")
    with pytest.raises(SignatureError, match="changed after it was signed"):
        verify(message.read_bytes(), pair.certificate_file.read_bytes())


def test_what_another_dcc_signed_is_found_out(
    alert: Alert, pair: KeyPair, validator: Validator, tmp_path: Path
) -> None:
    message = tmp_path / "message.xml"
    message.write_bytes(rendered(alert, KeyPair(tmp_path, "other")))
    assert "failed signature check" in validator.says(message, pair.certificate_file)


def test_the_validator_lets_pass_what_is_not_signed(
    alert: Alert, pair: KeyPair, validator: Validator, tmp_path: Path
) -> None:
    """The trap: its success alone proves nothing, and the words above are needed."""
    message = tmp_path / "message.xml"
    head, _, rest = rendered(alert, pair).partition(b"<ds:Signature")
    message.write_bytes(head + rest.rpartition(b"</ds:Signature>")[2])
    said = validator.says(message, pair.certificate_file)
    assert said.endswith("validation check skipped [SUCCESS]")
    assert "passed signature check" not in said


def test_a_version_of_nine_characters_fits_no_schema(
    alert: Alert, pair: KeyPair, validator: Validator, tmp_path: Path
) -> None:
    message = tmp_path / "message.xml"
    message.write_bytes(rendered(alert, pair).replace(b"01020304", b"010203040"))
    assert "passed xsd validation" not in validator.says(message, pair.certificate_file)


def test_a_message_of_the_dcc_is_valid_for_its_certificate_alone(
    validator: Validator, tmp_path: Path
) -> None:
    """Real ones, from its tool: what `alerts verify` says is not only true of our own."""
    jar = npm_package("@smartdcc/duis-sign-wrap") / "dist" / "tool.jar"
    with zipfile.ZipFile(jar) as opened:
        opened.extractall(tmp_path)
    message = tmp_path / "message.xml"
    signing = [
        file.name
        for file in sorted(tmp_path.glob("*-ds.pem"))
        if _valid(message.read_bytes(), file.read_bytes())
    ]
    assert signing == ["Z1-accessControlBroker-ds.pem"]
    assert validator.says(message, tmp_path / signing[0]).endswith(SIGNED)


def _valid(message: bytes, certificate: bytes) -> bool:
    try:
        return verify(message, certificate).startswith("valid: 00-07-81-D7-00-00-36-CE:")
    except SignatureError:
        return False
