"""Tests of the catalogue: what a candidate looks like to rules, and the order of versions."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fieldvalues import fields_of
from support.samples import activation, device, hub, user

from router.domain.users import ServiceUser
from router.domain.versions import compare_versions
from router.domain.words import Role
from router.language.fields import FIELDS, FieldKind, recipient_fields

BARE = ServiceUser(user(1), "Acme", frozenset({Role.GAS_SUPPLIER}))
VERSIONS = st.text("0129ABFabcfrx._-", min_size=1, max_size=8) | st.text(
    "0123abF", min_size=8, max_size=8
)


def test_a_candidate_with_everything_fills_the_catalogue() -> None:
    known = ServiceUser(
        user(2), "Acme", frozenset(Role), subscriptions=("firmware",), duis_version="5.4"
    )
    of_hub = {
        "csp_region": "North",
        "model": 'Alpha "2"',
        "hardware_version": "1.2",
        "replaced_by": device(2),
        "groups": ("pilot", "east"),
    }
    what = activation(previous_firmware_version="9001", failure_reason="none")
    assert fields_of(what, hub(**of_hub), Role.GAS_SUPPLIER, known) == {
        "activation.outcome": "success",
        "activation.firmware_version": "9002",
        "activation.previous_firmware_version": "9001",
        "activation.version_changed": True,
        "activation.failure_reason": "none",
        "hub.device_id": device(1),
        "hub.status": "Commissioned",
        "hub.smets_version": "SMETS2",
        "hub.csp_region": "North",
        "hub.model": 'Alpha "2"',
        "hub.hardware_version": "1.2",
        "hub.replaced_by": device(2),
        "hub.groups": ("pilot", "east"),
        "recipient.id": user(2),
        "recipient.name": "Acme",
        "recipient.role": "gas_supplier",
        "recipient.subscriptions": ("firmware",),
        "recipient.duis_version": "5.4",
    }


def test_what_is_not_known_is_left_out() -> None:
    found = fields_of(activation(), hub(), Role.GAS_SUPPLIER, BARE)
    assert set(FIELDS) - set(found) == {
        "activation.previous_firmware_version",
        "activation.version_changed",
        "activation.failure_reason",
        "hub.csp_region",
        "hub.model",
        "hub.hardware_version",
        "hub.replaced_by",
        "hub.groups",
        "recipient.subscriptions",
        "recipient.duis_version",
    }
    assert set(found) == {field.name for field in FIELDS.values() if field.always}


def test_what_is_known_of_a_user_is_the_same_for_every_hub() -> None:
    found = fields_of(activation(), hub(), Role.GAS_SUPPLIER, BARE)
    of_user = {name: value for name, value in found.items() if name.startswith("recipient.")}
    assert recipient_fields(Role.GAS_SUPPLIER, BARE) == of_user


def test_the_same_version_again_is_no_change() -> None:
    what = activation(previous_firmware_version="9002")
    assert fields_of(what, hub(), Role.GAS_SUPPLIER, BARE)["activation.version_changed"] is False


def test_values_are_plain_so_that_rules_see_what_files_say() -> None:
    found = fields_of(activation(), hub(), Role.GAS_SUPPLIER, BARE)
    assert {type(value) for value in found.values()} == {str}


def test_every_field_is_described_and_enumerations_know_their_words() -> None:
    for name, field in FIELDS.items():
        assert field.name == name
        assert field.description.endswith(".")
        assert bool(field.values) is (field.kind is FieldKind.ENUM)


# --- the order of versions ------------------------------------------------------------------


@pytest.mark.parametrize(
    "ascending",
    [
        ["1.9", "1.10", "2"],
        ["01020304", "A1B2C3D4"],
        ["0000000a", "00000010"],
        ["9001", "9010", "10000"],
        ["1.2", "1.2.1", "1.2.rc"],
        ["1", "1-0", "1_1", "1.alpha", "1.beta"],
        ["9001", "01020304"],
        ["1.2", "1.2."],
        ["99999999", "A0000000", "alpha"],
    ],
)
def test_older_versions_come_first(ascending: list[str]) -> None:
    for older, newer in pairwise(ascending):
        assert compare_versions(older, newer) == -1
        assert compare_versions(newer, older) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("1.2", "01.2"), ("1.2", "1-2"), ("abcdef01", "ABCDEF01")]
)
def test_versions_can_differ_and_be_equally_new(one: str, other: str) -> None:
    assert compare_versions(one, other) == 0


def test_text_that_only_looks_like_digits_is_a_word() -> None:
    assert compare_versions("²", "9") == 1
    assert compare_versions("٣", "9") == 1


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_never_goes_round(one: str, other: str, third: str) -> None:
    assert compare_versions(one, one) == 0
    assert compare_versions(one, other) == -compare_versions(other, one)
    if compare_versions(one, other) <= 0 and compare_versions(other, third) <= 0:
        assert compare_versions(one, third) <= 0
        if compare_versions(one, third) == 0:
            assert compare_versions(one, other) == compare_versions(other, third) == 0


def test_mixed_kinds_of_versions_do_not_go_round() -> None:
    ascending = ["0000000A", "00000010", "11", "99999999", "0a"]
    for number, older in enumerate(ascending):
        for newer in ascending[number + 1 :]:
            assert compare_versions(older, newer) == -1
