"""Routing keys: what a template may be, and what an Alert makes of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from adapters.rabbitmq.routing import FIELDS, ExchangeName, RoutingKey, keys
from router.ports import Delivery

pytestmark = pytest.mark.once

Make = Callable[[int], Delivery]
usable = TypeAdapter(RoutingKey).validate_python
named = TypeAdapter(ExchangeName).validate_python


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{alert_code}", "N64"),
        ("", ""),
        ("a.b", "a.b"),
        ("firmware.{service_user_id}", "firmware.90-B3-D5-1F-30-01-00-01"),
        ("{device_id}.{firmware_version}", "90-B3-D5-1F-30-02-00-01.01020304"),
        ("{alert_code}{alert_code}é", "N64N64é"),
    ],
)
def test_fields_are_filled_in(delivery: Make, template: str, key: str) -> None:
    assert keys(usable(template), [delivery(1).alert]) == {key: [0]}


def test_alerts_are_grouped_by_their_key_in_order(delivery: Make) -> None:
    alerts = [
        replace(delivery(number).alert, firmware_version=version)
        for number, version in enumerate("abac")
    ]
    assert keys("v.{firmware_version}", alerts) == {"v.a": [0, 2], "v.b": [1], "v.c": [3]}


def test_what_stands_in_an_alert_is_not_a_template(delivery: Make) -> None:
    alert = replace(delivery(1).alert, firmware_version="{roles}")
    assert keys("{firmware_version}", [alert]) == {"{roles}": [0]}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{alert_cod}", "no field {alert_cod}; did you mean {alert_code}?"),
        ("{Device_ID}", "no field {Device_ID}; did you mean {device_id}?"),
        ("{roles}", "no field {roles}; there are {alert_code}, {device_id}"),
        ("{}", "no field {}; there are"),
        ("{alert_code.__class__}", "no field {alert_code.__class__}"),
        ("{alert_code", "a brace without its partner"),
        ("{{alert_code}}", "a brace without its partner"),
        ("a\nb", "control or invisible"),
        ("x" * 250 + "{alert_code}", "at most 255 bytes; this one makes up to 260"),
        ("{device_id}" * 12, "at most 255 bytes; this one makes up to 276"),
        ("é" * 128, "at most 255 bytes; this one makes up to 256"),
    ],
)
def test_a_template_with_a_mistake_says_which(template: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        usable(template)
    assert said in str(caught.value)


def test_the_longest_template_makes_the_longest_key(delivery: Make) -> None:
    fields = {name: "x" * size for name, size in FIELDS.items()}
    template = "".join(f"{{{name}}}" for name in FIELDS)
    template += "y" * (255 - sum(FIELDS.values()))
    (key,) = keys(usable(template), [replace(delivery(1).alert, **fields)])
    assert len(key) == 255


@pytest.mark.parametrize("name", ["", "amq.topic", "é" * 127])
def test_names_of_exchanges(name: str) -> None:
    assert named(name) == name


@pytest.mark.parametrize("name", ["é" * 128, "a\tb", "x" * 256])
def test_what_is_no_name_of_an_exchange(name: str) -> None:
    with pytest.raises(ValidationError, match="at most 255 bytes without control"):
        named(name)
