"""An Alert as the XML that the DCC sends to Service Users: a DUIS `Response`, not yet signed.

Built by lxml and never by text. Names, order and limits are those of `DUIS Schema V5.1.xsd`, which
the DCC publishes within its tool (npm `@smartdcc/duis-sign-wrap` 0.1.2).
"""

from __future__ import annotations

from datetime import UTC, datetime

from lxml import etree

from router.ports import Alert, Recipient

NAMESPACE = "http://www.dccinterface.co.uk/ServiceUserGateway"
"""Of DUIS; schemas up to 5.4 share it, `schemaVersion` tells them apart."""
FIRST_VERSION = "5.1"
"""The first schema that has CommsHubFirmwareActivation."""
MISMATCH = "N999"
"""The DCC Alert code that stands in for one that the user's DUIS does not have."""
LAST_SEQUENCE = 2**64 - 1
"""The schema's ResponseIDType; a signed 64-bit column holds half of it."""
LONGEST_VERSION = 8
"""Characters of the schema's FirmwareVersion; at least one."""


class DocumentError(ValueError):
    """No document can hold this Alert; says why, for people."""


def build(alert: Alert, recipient: Recipient) -> etree._Element:
    """The `Response` for one Alert, in the recipient's version of DUIS.

    DocumentError when the schema or XML itself can't hold what the Alert says.
    """
    version = recipient.duis_version
    if version is None:
        raise DocumentError(f"the DUIS version of {recipient.id} is not known")
    if not 0 <= alert.sequence <= LAST_SEQUENCE:
        raise DocumentError(f"a ResponseID counts from 0 to 2^64-1, not to {alert.sequence}")
    if not 0 < len(alert.firmware_version) <= LONGEST_VERSION:
        raise DocumentError(f"firmware version {alert.firmware_version!r} is not 1 to 8 characters")
    root = etree.Element(_name("Response"), nsmap={"sr": NAMESPACE}, schemaVersion=version)
    header = _below(root, "Header")
    _add(header, "ResponseID", f"{alert.dcc_id}:{alert.service_user_id}:{alert.sequence}")
    _add(header, "ResponseCode", "I0")
    # When the DCC decided it: activated_at is the hub's moment, and a clock of ours would make
    # the document depend on when it happened to be rendered.
    _add(header, "ResponseDateTime", _moment(alert.decided_at))
    message = _below(_below(root, "Body"), "DCCAlertMessage")
    if reads(version):
        _add(message, "DCCAlertCode", alert.alert_code)
        activation = _below(_below(message, "DCCAlert"), "CommsHubFirmwareActivation")
        _add(activation, "DeviceID", alert.device_id)
        _add(activation, "FirmwareVersion", alert.firmware_version)
    else:
        _add(message, "DCCAlertCode", MISMATCH)
        mismatch = _below(_below(message, "DCCAlert"), "DUISVersionMismatch")
        what = _below(mismatch, "DCCAlertVersionMismatch")
        _add(what, "DCCAlertCode", alert.alert_code)
        _add(what, "DeviceID", alert.device_id)
        _add(mismatch, "ServiceUserDUISVersion", version)
    return root


def reads(version: str) -> bool:
    """Whether a user of this DUIS version can read the Alert itself."""
    return _parts(version) >= _parts(FIRST_VERSION)


def _parts(version: str) -> tuple[int, ...]:
    """5.10 comes after 5.9: the parts are numbers, the whole is not."""
    return tuple(int(part) for part in version.split("."))


def _moment(moment: datetime) -> str:
    """xs:dateTime in UTC with milliseconds, as the DCC's own messages have it."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return f"{text}Z"


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _below(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, _name(name))


def _add(parent: etree._Element, name: str, text: str) -> None:
    try:
        _below(parent, name).text = text
    except ValueError:  # control characters, half of a surrogate pair: XML 1.0 has no way to say it
        raise DocumentError(f"{name} {text!r} has characters that XML can't hold") from None
