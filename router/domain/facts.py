"""The three facts that Hubherald takes in, and the reading of them from bytes.

A fact is one CloudEvents 1.0 event in structured JSON. `parse_all` never raises for what a body
holds: it gives Facts, or Defects that say why one can't be used. Whatever text may
reach an Alert passes an allow-list here, so nothing behind this door needs to distrust it.

Sources: CloudEvents 1.0; for Device ID and version DUIS.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from router.compact import compact
from router.domain.acceptance import CheckDigits
from router.domain.findings import FieldError, in_words
from router.domain.identifiers import (
    DeviceId,
    FirmwareVersion,
    Groups,
    LocalDate,
    Moment,
    ShortText,
    UserId,
    printable,
    shown_as,
    text_only,
)
from router.domain.meterpoints import mpan, mpan_misfit, mprn, mprn_misfit
from router.domain.strictjson import ENDS_BY_CR, MalformedJson, decode
from router.domain.timestamps import lasting, rfc3339
from router.domain.words import (
    ActivationOutcome,
    FactType,
    HubStatus,
    Point,
    QuarantineReason,
    SmetsVersion,
)
from router.domain.wrapping import Room, WrappedLarge, WrappedWrong, data_of, events, unpacked
from router.ports import MAX_BODY


class Activation(BaseModel):
    """A Communications Hub has (or has not) activated new firmware."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[FactType] = FactType.ACTIVATED

    device_id: DeviceId
    firmware_version: FirmwareVersion
    activated_at: Moment
    outcome: ActivationOutcome
    previous_firmware_version: FirmwareVersion | None = None
    failure_reason: ShortText | None = None


class Hub(BaseModel):
    """What the Smart Metering Inventory knows about one Communications Hub."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[FactType] = FactType.HUB

    device_id: DeviceId
    status: HubStatus
    smets_version: SmetsVersion
    csp_region: ShortText | None = None
    model: ShortText | None = None
    hardware_version: ShortText | None = None
    replaced_by: DeviceId | None = None
    groups: Groups = ()


class Registration(BaseModel):
    """Who is registered for one meter point of a hub, and from when to when.

    The interval is half-open, [effective_from, effective_to), in days of Europe/London.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[FactType] = FactType.REGISTRATION

    device_id: DeviceId
    mpxn: Annotated[
        str,
        BeforeValidator(text_only),
        shown_as(r"^([0-9]{6,11}|[0-9]{13})$"),
        Field(
            description="MPAN of 13 digits, or MPRN of 6 to 11: the same with and without leading"
            " zeros, and kept without"
        ),
    ]
    point: Point
    supplier_id: UserId | None = None
    network_operator_id: UserId | None = None
    effective_from: Annotated[
        LocalDate, Field(description="the first day in effect, from midnight in London on")
    ]
    effective_to: Annotated[
        LocalDate | None,
        Field(
            description="the first day NO LONGER in effect: where another supplier takes over, its"
            " effective_from; null while there is no end"
        ),
    ] = None

    @model_validator(mode="after")
    def _consistent(self) -> Registration:
        kept = check_registration(self.point, self.mpxn, self.effective_from, self.effective_to)
        if kept != self.mpxn:
            object.__setattr__(self, "mpxn", kept)  # frozen for others; this is still being made
        return self


def check_registration(
    point: Point, mpxn: str, effective_from: date, effective_to: date | None
) -> str:
    """What must hold between the fields of a registration; FieldError when it does not.

    Gives the number of the meter point as it is kept; whether its check digits fit is for
    `misfit`.
    """
    try:
        kept = mprn(mpxn) if point is Point.MPRN else mpan(mpxn)
    except ValueError as error:
        raise FieldError("mpxn", str(error)) from None
    if effective_to is not None and effective_to < effective_from:
        raise FieldError("effective_to", f"lies before effective_from, {effective_from}")
    return kept


def misfit(point: Point, mpxn: str) -> str | None:
    """What is wrong with a meter point number's check digits, in words; None when they fit."""
    return mprn_misfit(mpxn) if point is Point.MPRN else mpan_misfit(mpxn)


Data = Activation | Hub | Registration
DATA: dict[str, type[Activation] | type[Hub] | type[Registration]] = {
    model.type: model for model in (Activation, Hub, Registration)
}


class Envelope(BaseModel):
    """The CloudEvents attributes that Hubherald reads; others are kept in the stored body."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: ShortText
    source: Annotated[
        str,
        BeforeValidator(text_only),
        StringConstraints(min_length=1, max_length=300),
        AfterValidator(printable),
    ]
    type: ShortText
    time: Moment | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One usable fact."""

    source: str
    """CloudEvents `source`; with `id` the idempotency key."""
    id: str
    time: datetime | None
    """When the sender says it became true, UTC; always there on hub and registration facts."""
    data: Data
    body: bytes
    """As received, byte for byte, but for what it came wrapped in: gzip, a batch."""
    content_digest: str
    """SHA-256 over type and data, to tell a redelivery from a conflicting id."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two deliveries the same fact."""
        return (self.source, self.id)

    @property
    def moments(self) -> dict[str, datetime]:
        """By the key that it stands under: when the sender says things were so."""
        found = {"time": self.time} if self.time is not None else {}
        if isinstance(self.data, Activation):
            found["activated_at"] = self.data.activated_at
        return found

    def ahead(self, now: datetime, tolerance: timedelta) -> str | None:
        """In words which of its moments lies more than `tolerance` ahead of `now`; None: none.

        One such record would make every later right one stale.
        """
        for key, moment in self.moments.items():
            if moment - now > tolerance:
                return f"{key}: {rfc3339(moment, 'seconds')} lies {lasting(moment - now)} ahead"
        return None

    @property
    def misfit(self) -> str | None:
        """What is wrong with the check digits of its meter point, in words; None: nothing."""
        data = self.data
        return misfit(data.point, data.mpxn) if isinstance(data, Registration) else None


@dataclass(frozen=True, slots=True)
class Defect:
    """A body that can't be used, and why."""

    reason: QuarantineReason
    detail: str
    body: bytes
    source: str | None = None
    id: str | None = None
    type: str | None = None
    content_digest: str = ""
    """As in Fact where there is an id; else empty."""


def parse(body: bytes, check_digits: CheckDigits = CheckDigits.WARN) -> Fact | Defect:
    """Read one fact. Never raises for what `body` holds.

    `check_digits` says whether a registration is one whose meter point number does not check;
    where it is, `misfit` of the Fact tells.
    """
    found = parse_all(body, check_digits)
    if len(found) == 1:
        return found[0]
    return Defect(QuarantineReason.MALFORMED, f"a batch of {len(found)} events, not one", body)


def parse_all(
    body: bytes, check_digits: CheckDigits = CheckDigits.WARN, room: Room | None = None
) -> Sequence[Fact | Defect]:
    """Read each fact of a body that may be a batch or compressed; at least one is given.

    Never raises for what `body` holds. A fact of a batch has its own bytes as its body. `room`
    tells afterwards how many bytes were unpacked.
    """
    if len(body) > MAX_BODY:
        return [_too_large(body)]
    room = room or Room()
    try:
        body = unpacked(body, room)
        found = events(body)
    except WrappedLarge as error:
        return [Defect(QuarantineReason.TOO_LARGE, str(error), body)]
    except WrappedWrong as error:
        return [Defect(QuarantineReason.MALFORMED, str(error), body)]
    return [_parse_one(each, check_digits, room) for each in ([body] if found is None else found)]


def _too_large(body: bytes) -> Defect:
    ends = ENDS_BY_CR if re.search(rb"[}\]]\r+[{\[]", body[:MAX_BODY]) else ""
    detail = f"more than {MAX_BODY:,} bytes{ends}"
    return Defect(QuarantineReason.TOO_LARGE, detail, body[: MAX_BODY + 1])


def _parse_one(body: bytes, check_digits: CheckDigits, room: Room) -> Fact | Defect:
    try:
        event = decode(body)
    except MalformedJson as error:
        return Defect(QuarantineReason.MALFORMED, str(error), body)
    found = _read(event, body, room)
    if check_digits is CheckDigits.REFUSE and isinstance(found, Fact) and found.misfit:
        detail = f"data: {found.misfit}"
        kind, digest = found.data.type.value, found.content_digest
        return Defect(QuarantineReason.INVALID, detail, body, found.source, found.id, kind, digest)
    return found


def _read(event: dict[str, Any], body: bytes, room: Room) -> Fact | Defect:
    def name(key: str, longest: int) -> str | None:
        value = event.get(key)
        usable = isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
        return value if usable else None

    source, event_id, kind = name("source", 300), name("id", 100), name("type", 100)
    wrong = None
    try:
        data = data_of(event, room)
    except WrappedWrong as error:
        data, wrong = event.get("data_base64", event.get("data")), str(error)
    try:
        digest = hashlib.sha256(_content(event.get("type"), data)).hexdigest()
    except RecursionError:
        return Defect(QuarantineReason.MALFORMED, "nested too deeply", body, source, event_id, kind)

    try:
        envelope, known = _understood(event, data, wrong)
    except _UnusableError as error:
        return Defect(error.reason, str(error), body, source, event_id, kind, digest)
    return Fact(envelope.source, envelope.id, envelope.time, known, body, digest)


def _content(kind: Any, data: Any) -> bytes:
    """What tells a fact from others under its id, whatever the order of its keys."""
    if (
        isinstance(data, dict)
        and isinstance(kind, str)
        and _TEXTS.issuperset(map(type, data.values()))
    ):
        return compact([kind, dict(sorted(data.items()))])  # as the encoder below, and sooner
    return json.dumps([kind, data], sort_keys=True, separators=(",", ":")).encode()


_TEXTS = frozenset({str, type(None)})


class _UnusableError(Exception):
    def __init__(self, reason: QuarantineReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _understood(event: dict[str, Any], data: Any, wrong: str | None) -> tuple[Envelope, Data]:
    """`wrong` is what is wrong with the form of the data."""
    try:
        envelope = Envelope.model_validate(event)
        model = DATA.get(envelope.type)
        if model is None:
            detail = f"type {envelope.type!r} is not one of {', '.join(DATA)}"
            raise _UnusableError(QuarantineReason.UNKNOWN_TYPE, detail)
        if wrong is not None:
            raise _UnusableError(QuarantineReason.INVALID, wrong)
        known = model.model_validate(data)
    except ValidationError as error:
        raise _UnusableError(QuarantineReason.INVALID, in_words(error)) from None
    if envelope.time is None and model is not Activation:
        detail = "time: missing; hub and registration facts need it"
        raise _UnusableError(QuarantineReason.INVALID, detail)
    return envelope, known
