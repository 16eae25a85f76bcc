"""CloudEvents with their attributes in headers, as bytes that the core can read."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from support.steps import counted

from adapters.binary import LARGE, PREFIXES, structured
from router.domain.facts import Defect, parse_all
from router.ports import MAX_BODY

DATA = b'{"device_id": "d",  "n": 1.50}'
JSON = "application/json"


def headers(prefix: str = "cloudEvents:", **more: Any) -> dict[str, Any]:
    names = {"specversion": "1.0", "id": "f-1", "source": "dsp", "type": "t", **more}
    return {f"{prefix}{name}": value for name, value in names.items()}


@pytest.mark.parametrize("prefix", [*PREFIXES, "cloudEvents:", "cloudEvents_", "CE-"])
def test_attributes_and_data_are_put_together(prefix: str) -> None:
    found = json.loads(structured(DATA, JSON, {**headers(prefix), "trace": "x"}))
    assert found == {
        "specversion": "1.0",
        "id": "f-1",
        "source": "dsp",
        "type": "t",
        "datacontenttype": JSON,
        "data": {"device_id": "d", "n": 1.5},
    }


def test_the_data_is_kept_byte_for_byte() -> None:
    assert DATA in structured(b"\xef\xbb\xbf" + DATA, JSON, headers())


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", b"\xff", b"<a/>", b'{}, "id": "other"', b"null"])
def test_data_that_is_no_json_goes_in_base64(body: bytes) -> None:
    found = json.loads(structured(body, None, headers()))
    assert base64.b64decode(found["data_base64"]) == body
    assert found["id"] == "f-1"
    assert "data" not in found


def test_a_large_body_is_not_looked_at() -> None:
    body = b"[" + b"[]," * 30_000 + b"[]]"
    assert counted(lambda: structured(body, JSON, headers())) < 200
    assert base64.b64decode(json.loads(structured(body, JSON, headers()))["data_base64"]) == body


def test_a_large_object_stays_as_small_as_it_is() -> None:
    body = json.dumps({"device_id": "d", "more": "x" * 220_000}).encode()
    whole = structured(body, JSON, headers())
    assert len(whole) < MAX_BODY
    assert json.loads(whole)["data"] == json.loads(body)


@pytest.mark.parametrize("end", [b"", b'}, "id": "other"', b'"'])
def test_a_large_object_that_is_none_makes_no_other_event(end: bytes) -> None:
    body = b'{"more": "' + b"x" * LARGE + end
    (found,) = parse_all(structured(body, JSON, headers()))
    assert isinstance(found, Defect)


def test_an_event_may_have_no_data() -> None:
    assert json.loads(structured(b"", None, headers())) == {
        name.removeprefix("cloudEvents:"): value for name, value in headers().items()
    }


def test_values_of_other_types_become_text() -> None:
    given = {"time": datetime(2026, 1, 1, tzinfo=UTC), "n": 7, "yes": True, "raw": b"\xffa"}
    found = json.loads(structured(DATA, JSON, headers(**given, table={"a": 1}, data="x")))
    assert found["time"] == "2026-01-01T00:00:00+00:00"
    assert (found["n"], found["yes"], found["raw"]) == ("7", "true", r"\xffa")
    assert "table" not in found
    assert found["data"]["device_id"] == "d"


@pytest.mark.parametrize(
    ("body", "content_type", "given"),
    [
        (DATA, JSON, {}),
        (DATA, JSON, {"cloudEvents:id": "f-1", "id": "x"}),
        (DATA, "application/cloudevents+json; charset=utf-8", headers()),
        (b"[]", "application/cloudevents-batch+json", headers()),
        (b'{"specversion": "1.0"}', JSON, headers()),
        (b"x" * (MAX_BODY + 1), JSON, headers()),
    ],
    ids=["no headers", "too few", "structured", "batch", "structured by its body", "too large"],
)
def test_anything_else_stays_as_it_is(
    body: bytes, content_type: str, given: dict[str, Any]
) -> None:
    assert structured(body, content_type, given) is body
