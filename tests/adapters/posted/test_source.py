"""Facts by HTTP POST: what is taken, when it is answered, and who may send."""

import asyncio
import base64
import json
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from cloudevents.core.bindings import http as sdk
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from support.mutual import Mutual
from support.posting import Posting, posting

from adapters.posted import source as module
from adapters.posted.source import HttpSource
from router.domain.facts import Fact, parse_all
from router.ports import MAX_BODY

BATCH = "application/cloudevents-batch+json"
TYPE = "hubherald.firmware.activated.v1"
DATA = {
    "device_id": "90-B3-D5-1F-30-02-00-01",
    "firmware_version": "01020304",
    "activated_at": "2026-01-31T23:59:00Z",
    "outcome": "success",
}


def event(number: int = 1, **more: object) -> dict[str, object]:
    named = {"specversion": "1.0", "id": f"fact-{number}", "source": "dsp", "type": TYPE}
    return {**named, "data": DATA, **more}


def facts(found: Posting) -> list[Fact]:
    """As the core reads what came."""
    each = [fact for message in found.messages for fact in parse_all(message.body)]
    assert all(isinstance(fact, Fact) for fact in each), each
    return [fact for fact in each if isinstance(fact, Fact)]


# --- the three modes ------------------------------------------------------------------------------


async def test_one_event_and_several_are_taken_and_answered_without_a_word() -> None:
    async with posting() as found:
        one = json.dumps(event()).encode()
        two = json.dumps([event(2), event(3)]).encode()
        assert (await found.post(one)).status == 204
        assert (await found.post(two, f"{BATCH}; charset=utf-8")).status == 204
        assert (await found.post(one, "application/json")).status == 204
        first, second, _ = found.messages
    assert (first.body, second.body) == (one, two)
    assert first.origin == "127.0.0.1#1"
    assert first.evidence == {"content_type": "application/cloudevents+json"}
    assert [fact.id for fact in facts(found)] == ["fact-1", "fact-2", "fact-3", "fact-1"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
async def test_attributes_may_stand_in_headers(kind: str | None) -> None:
    async with posting() as found:
        answer = await found.post(
            json.dumps(DATA).encode(),
            kind,
            ce_specversion="1.0",
            ce_id="caf%C3%A9 1",
            ce_source="dsp",
            CE_Type=TYPE,
        )
    assert answer.status == 204, answer
    (fact,) = facts(found)
    assert fact.id == "café 1"


@pytest.mark.parametrize("mode", ["structured", "binary", "batch"])
async def test_what_the_sdk_of_cloudevents_sends_is_taken(mode: str) -> None:
    made = CloudEvent(
        attributes={key: value for key, value in event().items() if key != "data"}, data=DATA
    )
    form = JSONFormat()
    if mode == "batch":
        body, headers = form.write(made), {"content-type": BATCH}
        body = b"[" + body + b"," + body + b"]"
    else:
        to = sdk.to_structured if mode == "structured" else sdk.to_binary
        message = to(made, form)
        body, headers = message.body, dict(message.headers)
    async with posting() as found:
        answer = await found.ask("POST", "/facts", data=body, headers=headers)
    assert answer.status == 204, answer
    assert {fact.id for fact in facts(found)} == {"fact-1"}


async def test_a_cloudevent_that_cannot_be_used_goes_on_to_quarantine() -> None:
    """As from any other source: it is the operator who can say what it was."""
    strange = [event(1, type="of.somebody.else"), event(2, data="no data"), event(3, data=None)]
    async with posting() as found:
        for each in strange:
            assert (await found.post(json.dumps(each).encode())).status == 204
    assert len(found.messages) == 3


# --- what is no CloudEvent ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "status", "why"),
    [
        (b"{", "application/cloudevents+json", 400, "body, line 1, column 2: is not JSON"),
        (b"", "application/cloudevents+json", 400, "line 1, column 1: is not JSON"),
        (b"\xff\xfe", "application/cloudevents+json", 400, "byte 0: is not UTF-8"),
        (b"[" * 100_000, "application/cloudevents+json", 400, "nested too deeply"),
        (b'{"a": NaN}', "application/cloudevents+json", 400, "NaN is no number"),
        (b"[]", "application/cloudevents+json", 400, f"for several events send {BATCH}"),
        (b"7", "application/json", 400, "the event: must be a JSON object"),
        (b"{}", "application/json", 400, 'specversion: must be "1.0"'),
        (b'{"specversion": "1.0"}', "application/json", 400, "the event: id: must be a text"),
        (b"[]", BATCH, 400, "must be an array of events, one or more"),
        (b"{}", BATCH, 400, "must be an array of events"),
        (json.dumps([event(), 7]).encode(), BATCH, 400, "event 2: must be a JSON object"),
        (json.dumps([event(id=7)]).encode(), BATCH, 400, "event 1: id: must be a text"),
        (b"{}", "text/plain", 415, "Content-Type text/plain: send application/cloudevents+json"),
        (b"{}", None, 415, "Content-Type is missing"),
        (b"{}", "application/cloudevents+avro", 415, "application/cloudevents+avro: send"),
        (b" " * (MAX_BODY + 1), BATCH, 413, "more than 262,144 bytes; send fewer"),
    ],
)
async def test_who_sends_what_is_none_is_told_what_where_and_what_to_do(
    body: bytes, kind: str | None, status: int, why: str
) -> None:
    async with posting() as found:
        answer = await found.post(body, kind)
    assert (answer.status, answer.body["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert why in answer.detail
    assert found.messages == []


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"ce_id": "1"}, "header ce-specversion: missing"),
        ({"ce_specversion": "1.0", "ce_id": "", "ce_type": "t"}, "header ce-id: missing"),
        (
            {"ce_specversion": "0.3", "ce_id": "1", "ce_source": "s", "ce_type": "t"},
            "must be 1.0",
        ),
        ({"ce_id": "%ff"}, "header ce-id: must be UTF-8, percent-encoded"),
    ],
)
async def test_headers_that_make_no_event_are_named(headers: dict[str, str], why: str) -> None:
    async with posting() as found:
        answer = await found.post(b"{}", "application/json", **headers)
    assert answer.status == 400
    assert why in answer.detail


async def test_where_nothing_is_taken_it_is_said_where_it_is() -> None:
    async with posting() as found:
        missing = await found.ask("POST", "/fact")
        wrong = await found.ask("GET", "/facts")
        browser = await found.post(b"{}", Origin="https://evil.example")
    assert (missing.status, wrong.status, browser.status) == (404, 405, 403)
    assert missing.detail == "POST /fact: POST facts to /facts; /openapi.json says how"
    assert wrong.headers["Allow"] == "POST"


# --- answered after the commit --------------------------------------------------------------------


async def test_an_answer_comes_after_the_commit_and_not_before() -> None:
    async with posting(commits=False) as found:
        asked = asyncio.create_task(found.post(json.dumps(event()).encode()))
        await found.came.wait()
        assert found.source.exhausted()  # all was given out
        done, _ = await asyncio.wait([asked], timeout=0.05)
        assert not done
        await found.commit()
        assert (await asked).status == 204


async def test_what_was_not_committed_in_time_is_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "COMMIT_S", 0.05)
    async with posting(commits=False) as found:
        answer = await found.post(json.dumps(event()).encode())
        await found.commit()  # nobody waits for it any more
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    assert "send this again, with the same id" in answer.detail


async def test_a_router_that_stops_answers_what_is_not_committed() -> None:
    async with posting(commits=False) as found:
        asked = asyncio.create_task(found.post(json.dumps(event()).encode()))
        await found.came.wait()
        await found.source.__aexit__()
        assert (await asked).status == 503


@pytest.mark.parametrize(("most", "size"), [("MOST", 3), ("MOST_BYTES", 500)])
async def test_under_pressure_senders_are_told_to_wait(
    monkeypatch: pytest.MonkeyPatch, most: str, size: int
) -> None:
    monkeypatch.setattr(module, most, size)
    async with posting(commits=False) as found:
        asked = [asyncio.create_task(found.post(json.dumps(event(n)).encode())) for n in range(3)]
        while len(found.messages) < 3:  # noqa: ASYNC110 - it is somebody else's
            await asyncio.sleep(0.001)
        late = await found.post(json.dumps(event(4)).encode())
        await found.commit()
        assert {each.status for each in await asyncio.gather(*asked)} == {204}
        found.commits = True
        again = await found.post(json.dumps(event(4)).encode())
    assert (late.status, late.headers["Retry-After"]) == (429, "5")
    assert again.status == 204


# --- who may send ---------------------------------------------------------------------------------


async def test_with_a_token_only_who_knows_it_is_heard() -> None:
    body = json.dumps(event()).encode()
    async with posting(token="a-token-of-ours-16") as found:
        basic = base64.b64encode(b"a-token-of-ours-16:").decode()
        for said in ("", "Bearer wrong", "a-token-of-ours-16", f"Basic {basic}", "Bearer \xff"):
            answer = await found.post(body, Authorization=said)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert "a-token" not in answer.detail
        assert found.messages == []
        assert (await found.post(body, Authorization="Bearer a-token-of-ours-16")).status == 204
        assert (await found.ask("GET", "/openapi.json")).status == 200


async def test_over_tls_a_certificate_may_say_who_sends(tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    theirs, stranger = trustme.CA(), trustme.CA()
    mutual.show(mutual.theirs.issue_cert("127.0.0.1"))
    client_ca = tmp_path / "clients.pem"
    client_ca.write_bytes(theirs.cert_pem.bytes())
    options = {
        "certificate_file": str(mutual.certificate_file),
        "key_file": str(mutual.key_file),
        "client_ca_file": str(client_ca),
    }

    def sender(ca: trustme.CA | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=mutual.ca_file)
        if ca is not None:
            ca.issue_cert("dsp.example", common_name="dsp").configure_cert(context)
        return context

    body = json.dumps(event()).encode()
    async with posting(tls=sender(theirs), **options) as found:
        assert (await found.post(body)).status == 204
        assert found.messages[0].evidence["certificate"].endswith("dsp")
    for wrong in (None, stranger):
        async with posting(tls=sender(wrong), **options) as found:
            # hung up on after the handshake, or in it: Python 3.13 comes to the first
            with pytest.raises((OSError, aiohttp.ServerDisconnectedError)):
                await found.post(body)
            assert found.messages == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"listen": "0.0.0.0:9465"}, "give certificate_file and key_file"),
        ({"listen": "facts.example:9465", "token": "x" * 16}, "as facts and tokens go over TLS"),
        ({"listen": "[::]:1", "certificate_file": "c", "key_file": "k"}, "token_file or client_ca"),
        ({"client_ca_file": "ca.pem"}, "client_ca_file needs certificate_file"),
        ({"certificate_file": "c.pem"}, "give both"),
        ({"listen": "9465"}, "must be HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, "must be HOST:PORT"),
        ({"token": "short"}, "at least 16"),
    ],
)
def test_who_listens_to_others_says_who_they_are(options: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        HttpSource.Config.model_validate(options)


# --- listening ------------------------------------------------------------------------------------


async def test_a_port_that_is_taken_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adapters.posted.server.LOOK_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = HttpSource.Config.model_validate({"listen": f"127.0.0.1:{port}"})
        source = HttpSource("dsp", config)
        await source.__aenter__()
        why = source.down()
        assert why is not None
        assert f"127.0.0.1:{port}" in why
        assert "give a free port in `listen`" in why
        assert not source.exhausted()
    async with asyncio.timeout(30):
        while source.down() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert source.port == port
    await source.__aexit__()


async def test_a_new_certificate_is_taken_up_and_a_broken_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.posted.server.LOOK_S", 0.02)
    mutual = Mutual(tmp_path / "tls")
    mutual.show(mutual.theirs.issue_cert("127.0.0.1"))
    context = ssl.create_default_context(cafile=mutual.ca_file)
    context.check_hostname = False

    async def shown(port: int) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return bytes(found)

    config = HttpSource.Config.model_validate(
        {
            "listen": "127.0.0.1:0",
            "certificate_file": str(mutual.certificate_file),
            "key_file": str(mutual.key_file),
        }
    )
    async with asyncio.timeout(60), HttpSource("dsp", config) as source:
        first = await shown(source.port)
        mutual.certificate_file.write_text("no certificate")
        await asyncio.sleep(0.1)
        assert source.down() is None
        assert await shown(source.port) == first
        mutual.show(mutual.theirs.issue_cert("127.0.0.1"))
        while await shown(source.port) == first:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
