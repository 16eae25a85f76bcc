"""The JSON Schemas say the same as the programs that read the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.badfiles import bad_files

from router.domain.facts import Fact, parse
from router.files.yamlfile import parse as parse_yaml
from router.language.fields import FIELDS
from router.workbench import starter
from router.workbench.schema import SCHEMAS

ACTIVATED = {
    "device_id": "90-B3-D5-1F-30-01-00-00",
    "firmware_version": "01020304",
    "activated_at": "2026-01-31T23:59:00+00:00",
    "outcome": "success",
}
HUB = {
    "device_id": "90-b3-d5-1f-30-01-00-00",
    "status": "Commissioned",
    "smets_version": "SMETS2",
    "groups": ["pilot"],
}
REGISTRATION = {
    "device_id": "90-B3-D5-1F-30-01-00-00",
    "mpxn": "1800021679848",
    "point": "import_mpan",
    "supplier_id": None,
    "network_operator_id": "90-B3-D5-1F-30-01-00-01",
    "effective_from": "2026-01-31",
    "effective_to": None,
}
# Mistakes in the YAML itself.
NOT_EVEN_YAML = {
    "alias",
    "duplicate_key",
    "not_yaml",
    "tag",
    "variable_without_quotes",
}
# What a schema can't say: that is for `check`.
BEYOND_SCHEMAS = {
    "dcc_files_unfit_and_unused",
    "dcc_key_missing",
    "ledger_in_memory",
    "listen_port_too_large",
    "path_control_character",
    "rules_variable_not_set",
    "rate_endless",
    "second_channel_of_one_given_name",
    "second_channel_of_one_name",
    "secret_file_missing",
    "secret_twice",
    "secret_unfit",
    "url_of_another_kind",
    "url_with_password",
    "url_without_tls",
    "user_twice",
    "variable_not_closed",
    "variable_not_set",
}


def valid(name: str, value: Any) -> bool:
    return bool(Draft202012Validator(SCHEMAS[name]()).is_valid(value))


def event(kind: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    time = {} if kind == "firmware.activated" else {"time": "2026-01-31T00:00:00Z"}
    head = {"specversion": "1.0", "id": "1", "source": "dsp", "type": f"hubherald.{kind}.v1"}
    return {**head, **time, "data": data, **more}


GOOD_FACTS = [
    event("firmware.activated", ACTIVATED),
    event("firmware.activated", {**ACTIVATED, "unknown": 1}, extension="kept"),
    event("hub.updated", HUB),
    event("registration.updated", REGISTRATION),
    event("registration.updated", {**REGISTRATION, "mpxn": "1234567890123"}),
    *(
        event("registration.updated", {**REGISTRATION, "mpxn": number, "point": "mprn"})
        for number in ("123456", "0012345601", "00012345601", "1234567890")
    ),
]
BAD_FACTS = [
    event("firmware.deleted", ACTIVATED),
    event("hub.updated", ACTIVATED),
    event("firmware.activated", {**ACTIVATED, "firmware_version": "123456789"}),
    event("firmware.activated", {**ACTIVATED, "firmware_version": 9001}),
    event("firmware.activated", {**ACTIVATED, "device_id": "90-B3"}),
    event("firmware.activated", {**ACTIVATED, "outcome": "perhaps"}),
    event("hub.updated", {**HUB, "groups": ["two words"]}),
    {key: value for key, value in event("hub.updated", HUB).items() if key != "time"},
    event("registration.updated", {**REGISTRATION, "mpxn": "18"}),
    event("registration.updated", {**REGISTRATION, "mpxn": "393842440312", "point": "mprn"}),
    event("registration.updated", {**REGISTRATION, "mpxn": "3938 424403", "point": "mprn"}),
    {},
]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_a_schema_and_says_what_it_is_for(name: str) -> None:
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"]
    assert schema["description"]
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("fact", GOOD_FACTS)
def test_facts_that_are_taken_are_valid(fact: dict[str, Any]) -> None:
    assert isinstance(parse(json.dumps(fact).encode()), Fact)
    assert valid("fact", fact)


@pytest.mark.parametrize("fact", BAD_FACTS)
def test_facts_that_are_not_taken_are_not_valid(fact: dict[str, Any]) -> None:
    assert not isinstance(parse(json.dumps(fact).encode()), Fact)
    assert not valid("fact", fact)


def test_the_schema_says_what_a_last_day_is_and_how_numbers_are_compared() -> None:
    of = SCHEMAS["fact"]()["$defs"]["Registration"]["properties"]
    assert "first day NO LONGER in effect" in of["effective_to"]["description"]
    assert "the same with and without leading zeros" in of["mpxn"]["description"]


def test_the_starter_is_valid() -> None:
    files = {path.as_posix(): content for path, content in starter.files().items()}

    def value(name: str) -> Any:
        return parse_yaml(files[name], Path(name)).value

    assert valid("config", value("hubherald.yaml"))
    assert valid("users", value("service_users.yaml"))
    for name in files:
        if name.startswith("rules/") and name.endswith(".yaml") and ".test." not in name:
            assert valid("rules", value(name)), name
    for line in files["inbox/facts.jsonl"].splitlines():
        assert valid("fact", json.loads(line))


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (kind, bad)
        for kind in ("config", "users")
        for bad in bad_files(kind)
        if bad.stem not in NOT_EVEN_YAML
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else value,
)
def test_bad_files_are_not_valid_where_a_schema_can_tell(kind: str, bad: Path) -> None:
    document = parse_yaml(bad.read_bytes(), bad)
    assert not document.problems
    assert valid(kind, document.value) == (bad.stem in BEYOND_SCHEMAS)


def test_a_variable_may_stand_for_any_value() -> None:
    user = {
        "id": "${ACME_ID}",
        "name": "Acme",
        "roles": ["${ROLE}"],
        "channels": [{"adapter": "log", "window": "${WINDOW}", "rate": "${RATE}"}],
    }
    assert valid("users", {"service_users": [user]})


def test_a_secret_may_come_from_a_file() -> None:
    webhook = {"adapter": "webhook", "url": "https://a.example/", "secret_file": "a.secret"}
    user = {"id": "90-B3-D5-1F-30-01-00-01", "name": "Acme", "roles": ["gas_supplier"]}
    assert valid("users", {"service_users": [{**user, "channels": [webhook]}]})
    webhook["secret_files"] = "a.secret"
    assert not valid("users", {"service_users": [{**user, "channels": [webhook]}]})


def rule(**changes: Any) -> dict[str, Any]:
    usual = {"name": "a-rule", "when": ['activation.outcome == "success"'], "alert": "N64"}
    return {"rules": [{key: each for key, each in (usual | changes).items() if each is not None}]}


@pytest.mark.parametrize(
    "good",
    [
        rule(),
        rule(alert=None, suppress="a reason"),
        rule(when=[{"any": ["hub.model exists", {"not": ['hub.groups has "pilot"']}]}]),
        *(rule(when=[f"{name} exists"]) for name in FIELDS),
    ],
)
def test_good_rules_are_valid(good: dict[str, Any]) -> None:
    assert valid("rules", good)


@pytest.mark.parametrize(
    "bad",
    [
        {"rules": []},
        rule(name="A rule"),
        rule(name=None),
        rule(when=[]),
        rule(when=['activation.outcom == "success"']),
        rule(when=[{"none": ["hub.model exists"]}]),
        rule(when=[{"any": ["hub.model exists"], "all": ["hub.model exists"]}]),
        rule(suppress="as well as alert"),
        rule(alert=None),
        rule(alert="n64"),
        rule(alrt="N64"),
    ],
)
def test_bad_rules_are_not_valid(bad: dict[str, Any]) -> None:
    assert not valid("rules", bad)
