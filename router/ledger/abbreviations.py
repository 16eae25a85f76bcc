"""JSON told shortly, and exactly: the views of migration 0012 tell it whole again.

In hubs, registrations and facts a control character stands for a phrase, or for what other
columns say: JSON has none as it stands. The JSON of an Alert is one that many share, with places
for what each has of its own. What is here is what rows were written with: it never changes, and a
new phrase needs a new character and a migration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # lists, which need no more than the tables, are not to wait for models
    from router.ports import Alert

_DEVICE = "\x01"
_REGISTRATIONS = {
    f'{{"device_id":"{_DEVICE}","mpxn":"': "\x02",
    '","point":"import_mpan","supplier_id":"': "\x03",
    '","point":"export_mpan","supplier_id":"': "\x04",
    '","point":"mprn","supplier_id":"': "\x05",
    '","network_operator_id":"': "\x06",
    '","effective_from":"': "\x07",
    '","effective_to":"': "\x08",
    '"},': "\x0b",
}
_HUB = {
    f'{{"device_id":"{_DEVICE}","status":"Commissioned","smets_version":"SMETS2"': "\x02",
    f'{{"device_id":"{_DEVICE}","status":"Commissioned","smets_version":"SMETS1"': "\x03",
    ',"csp_region":"': "\x04",
    '","model":"': "\x05",
    '","hardware_version":"': "\x06",
    '","groups":[]}': "\x07",
}
_BODY = {
    f'"{phrase}"': chr(number)
    for number, phrase in {
        4: "hubherald.firmware.activated.v1",
        5: "specversion",
        6: "datacontenttype",
        7: "application/json",
        8: "firmware_version",
        11: "previous_firmware_version",
        14: "activated_at",
        15: "device_id",
        16: "outcome",
        17: "success",
    }.items()
}
_RESERVED = re.compile("[\x01-\x08\x0b\x0e-\x1f]")
_PLAIN = re.compile(r"[0-9A-Za-z._-]*")
"""What JSON has as it is."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREVIOUS = '"previous_firmware_version":'
_PLACES = (
    '"id":"%s"',
    '"subject":"%s","time":"%s"',
    f'"device_id":"%s","firmware_version":"%s",{_PREVIOUS}%s,"activated_at":"%s",'
    '"service_user_id":"%s"',
    '"sequence":%s,',
)

PLACES = "".join(_PLACES).count("%s")
"""How much each Alert has of its own in a wording."""


def short_hub(text: str, device_id: str) -> str:
    """The JSON of a hub, shortly."""
    return _shortened(text, device_id, _HUB)


def short_registrations(text: str, device_id: str) -> str:
    """The JSON of its registrations, shortly."""
    return _shortened(text, device_id, _REGISTRATIONS)


def short_body(body: bytes, device_id: str, source: str, event_id: str) -> str | None:
    """The body of a fact, shortly; None for one that can't be told again."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if not text.isprintable() and _RESERVED.search(text):
        return None
    text = text.replace(f'"{source}"', "\x02").replace(f'"{event_id}"', "\x03")
    return _shortened(text, device_id, _BODY)


def _shortened(text: str, device_id: str, phrases: Mapping[str, str]) -> str:
    text = text.replace(device_id, _DEVICE)
    for phrase, character in phrases.items():
        text = text.replace(phrase, character)
    return text


class Own(NamedTuple):
    """What an Alert's JSON does not share with others."""

    values: tuple[str | int, ...]
    """In the order in which they stand there."""
    previous: str | None
    """The previous firmware version."""

    @classmethod
    def of(cls, alert: Alert) -> Own | None:
        """Of an Alert; None for one whose rows can't tell it again."""
        device, version = alert.device_id, alert.firmware_version
        previous, user = alert.previous_firmware_version, alert.service_user_id
        texts = device + version + user if previous is None else device + version + user + previous
        if alert.activated_at < _EPOCH or not _PLAIN.fullmatch(texts):
            return None
        values = (
            str(alert.id),
            device,
            _rfc3339(alert.decided_at),
            device,
            version,
            "null" if previous is None else f'"{previous}"',
            _rfc3339(alert.activated_at),
            user,
            alert.sequence,
        )
        return cls(values, previous)

    def wording(self, text: str) -> str | None:
        """The JSON with `%s` for each of these; None where they do not stand in it so."""
        found, values = text.replace("%", "%%"), self.values
        for place in _PLACES:
            count = place.count("%s")
            found = found.replace(place % values[:count], place, 1)
            values = values[count:]
        try:
            return found if found % self.values == text else None
        except TypeError:  # some stand elsewhere
            return None


@lru_cache(maxsize=1024)  # a fact has several Alerts, and a batch is decided at one moment
def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
