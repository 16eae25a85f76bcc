"""Registration facts: one spelling of each meter point, and check digits as the operator will."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from support.samples import HUB, event, user

from router.domain.acceptance import CheckDigits
from router.domain.facts import Defect, Fact, Registration, parse
from router.domain.words import QuarantineReason

KIND = "hubherald.registration.updated.v1"
DATA: dict[str, Any] = {
    "device_id": HUB,
    "mpxn": "3938424403",
    "point": "mprn",
    "supplier_id": user(1),
    "network_operator_id": None,
    "effective_from": "2026-01-01",
    "effective_to": None,
}


def registered(**changes: object) -> bytes:
    found = event({**DATA, **changes}, type=KIND, time="2026-01-01T00:00:00Z")
    return json.dumps(found).encode()


def fact(raw: bytes) -> Fact:
    found = parse(raw)
    assert isinstance(found, Fact), found
    return found


@pytest.mark.parametrize("written", ["12345601", "012345601", "0012345601", "00012345601"])
def test_an_mprn_is_the_same_in_every_spelling(written: str) -> None:
    data = fact(registered(mpxn=written)).data
    assert isinstance(data, Registration)
    assert data.mpxn == "12345601"
    assert Registration.model_validate_json(data.model_dump_json()) == data


def test_an_mpan_keeps_its_zeros() -> None:
    data = fact(registered(mpxn="0000021679845", point="import_mpan")).data
    assert isinstance(data, Registration)
    assert data.mpxn == "0000021679845"


def test_what_was_sent_tells_a_redelivery_from_a_conflict_and_not_what_is_kept() -> None:
    plain, padded = fact(registered(mpxn="12345601")), fact(registered(mpxn="0012345601"))
    assert plain.data == padded.data
    assert plain.content_digest != padded.content_digest
    sent = json.dumps(
        [KIND, {**DATA, "mpxn": "0012345601"}],
        sort_keys=True,
        separators=(",", ":"),
    )
    assert padded.content_digest == hashlib.sha256(sent.encode()).hexdigest()


@pytest.mark.parametrize(
    ("point", "number", "words"),
    [
        ("import_mpan", "1234567890123", "the MPAN's check digit (the last) does not fit"),
        ("export_mpan", "1800021679849", "the MPAN's check digit (the last) does not fit"),
        ("mprn", "3938424404", "the MPRN's check digits (last two) do not fit"),
        ("mprn", "00012345602", "the MPRN's check digits (last two) do not fit"),
    ],
)
def test_wrong_check_digits_are_told_or_refused(point: str, number: str, words: str) -> None:
    raw = registered(point=point, mpxn=number)
    taken = fact(raw)
    assert (taken.misfit or "").startswith(words)
    assert parse(raw, CheckDigits.WARN) == taken
    refused = parse(raw, CheckDigits.REFUSE)
    assert isinstance(refused, Defect)
    assert refused.reason is QuarantineReason.INVALID
    assert refused.detail == f"data: {taken.misfit}"
    told = (refused.source, refused.id, refused.type, refused.content_digest, refused.body)
    assert told == ("dsp", "f-1", KIND, taken.content_digest, raw)


@pytest.mark.parametrize("raw", [json.dumps(event()).encode(), registered()])
def test_what_checks_is_taken_either_way(raw: bytes) -> None:
    assert fact(raw).misfit is None
    assert parse(raw, CheckDigits.REFUSE) == fact(raw)
