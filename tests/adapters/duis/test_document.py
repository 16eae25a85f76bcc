"""What a DUIS document says, read back; what none can hold is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.duis.document import DocumentError, build, reads
from router.ports import Alert, Delivery, Recipient
from router.ports.alerts import alert_id

USER = "90-B3-D5-1F-30-01-00-01"
NAMES = {"sr": "http://www.dccinterface.co.uk/ServiceUserGateway"}
ALERT = Alert(
    id=alert_id("dsp", "fact", USER, "N64"),
    alert_code="N64",
    dcc_id="90-B3-D5-1F-30-00-00-02",
    service_user_id=USER,
    device_id="90-B3-D5-1F-30-02-00-01",
    firmware_version="01020304",
    previous_firmware_version=None,
    activated_at=datetime(2026, 1, 31, 23, 59, tzinfo=UTC),
    decided_at=datetime(2026, 2, 1, 0, 1, 2, 345678, tzinfo=UTC),
    roles=("import_supplier",),
    rules={"import_supplier": "alert-import-supplier"},
    sequence=7,
    rules_digest="0" * 64,
)


def read_back(alert: Alert, version: str = "5.4") -> etree._Element:
    return etree.fromstring(etree.tostring(build(alert, Recipient(USER, version))))


def shape(element: etree._Element) -> list[tuple[str, str | None]]:
    """Every element in order with its text, without the namespace that all of them have."""
    return [
        (tag.localname, each.text)
        for each in element.iter("*")
        for tag in [etree.QName(each)]
        if tag.namespace == NAMES["sr"]
    ]


def test_a_response_tells_of_the_activation(delivery: Callable[[int], Delivery]) -> None:
    root = build(delivery(7).alert, Recipient(USER, "5.4"))
    assert dict(root.attrib) == {"schemaVersion": "5.4"}
    assert shape(root) == [
        ("Response", None),
        ("Header", None),
        ("ResponseID", f"90-B3-D5-1F-30-00-00-02:{USER}:7"),
        ("ResponseCode", "I0"),
        ("ResponseDateTime", "2026-02-01T00:01:00.000Z"),
        ("Body", None),
        ("DCCAlertMessage", None),
        ("DCCAlertCode", "N64"),
        ("DCCAlert", None),
        ("CommsHubFirmwareActivation", None),
        ("DeviceID", "90-B3-D5-1F-30-02-00-01"),
        ("FirmwareVersion", "01020304"),
    ]


def test_an_old_user_is_told_what_it_can_not_read() -> None:
    root = build(replace(ALERT, alert_code="N63"), Recipient(USER, "5.0"))
    assert dict(root.attrib) == {"schemaVersion": "5.0"}
    assert shape(root)[6:] == [
        ("DCCAlertMessage", None),
        ("DCCAlertCode", "N999"),
        ("DCCAlert", None),
        ("DUISVersionMismatch", None),
        ("DCCAlertVersionMismatch", None),
        ("DCCAlertCode", "N63"),
        ("DeviceID", "90-B3-D5-1F-30-02-00-01"),
        ("ServiceUserDUISVersion", "5.0"),
    ]


@pytest.mark.parametrize("version", ["5.1", "5.2", "5.3", "5.4", "5.9", "5.10", "6.0", "10.0"])
def test_these_versions_have_the_alert(version: str) -> None:
    assert reads(version)


@pytest.mark.parametrize("version", ["0.9", "2.0", "4.0", "4.10", "5.0"])
def test_these_versions_do_not(version: str) -> None:
    assert not reads(version)


@pytest.mark.parametrize(
    ("decided", "shown"),
    [
        (ALERT.decided_at, "2026-02-01T00:01:02.345Z"),
        (datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=1))), "2026-06-30T23:00:00.000Z"),
    ],
)
def test_a_response_is_dated_in_utc_when_it_was_decided(decided: datetime, shown: str) -> None:
    root = read_back(replace(ALERT, decided_at=decided))
    assert root.findtext(".//sr:ResponseDateTime", namespaces=NAMES) == shown


@pytest.mark.parametrize("sequence", [0, 1, 2**63, 2**64 - 1])
def test_the_sequence_counts_up_to_64_bits(sequence: int) -> None:
    found = read_back(replace(ALERT, sequence=sequence))
    text = found.findtext(".//sr:ResponseID", namespaces=NAMES) or ""
    assert text.rpartition(":")[2] == str(sequence)


def not_xml(text: str) -> bool:
    """What XML 1.0 has no way to say (production 2, Char)."""
    return any(
        (ord(c) < 0x20 and c not in "\t\n\r") or "\ud800" <= c <= "\udfff" or c in "\ufffe\uffff"
        for c in text
    )


hostile = st.text(
    st.one_of(
        st.sampled_from("<>&\"']]>\t\r\n\0\x1b\x7f\u2028\u202e\u200f\ufeff\ufffe\ud800{}%:"),
        st.characters(),
    ),
    min_size=1,
    max_size=8,
)


@given(version=hostile, device=hostile, code=hostile, schema=st.sampled_from(["5.4", "4.0"]))
def test_hostile_text_stays_text_or_is_refused(
    version: str, device: str, code: str, schema: str
) -> None:
    alert = replace(ALERT, firmware_version=version, device_id=device, alert_code=code)
    said = [code, device] + ([version] if schema == "5.4" else [])
    if not_xml("".join(said)):
        with pytest.raises(DocumentError, match="XML can't hold"):
            build(alert, Recipient(USER, schema))
        return
    found = shape(read_back(alert, schema))
    assert [name for name, _ in found] == [name for name, _ in shape(read_back(ALERT, schema))]
    texts = [text for _, text in found]
    assert all(text in texts for text in said)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"firmware_version": "123456789"}, "'123456789' is not 1 to 8 characters"),
        ({"firmware_version": ""}, "'' is not 1 to 8 characters"),
        ({"sequence": 2**64}, "not to 18446744073709551616"),
        ({"sequence": -1}, "not to -1"),
        ({"device_id": "a\0b"}, r"DeviceID 'a\x00b' has characters that XML can't hold"),
    ],
)
def test_what_the_schema_can_not_hold_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        build(replace(ALERT, **change), Recipient(USER, "5.4"))  # type: ignore[arg-type]
    assert why in str(caught.value)


def test_a_user_without_a_version_gets_no_document() -> None:
    with pytest.raises(DocumentError, match="DUIS version of 90-B3-D5-1F-30-01-00-01 is not known"):
        build(ALERT, Recipient(USER))
