"""What statuses mean where they alone tell too little; the rest is tried over real connections."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.http.answer import Answer, outcome_of
from router.ports import ChannelFault, Closed, Outcome, Reason, Refused, Retry

OUR_CERTIFICATE = (ChannelFault.CREDENTIALS, "a certificate of ours")
TLS = (ChannelFault.ENDPOINT, "wants TLS on this port; write https:// in `url`")
FORM = (ChannelFault.ENDPOINT, "can't take requests as we send them")
NAME = (ChannelFault.ENDPOINT, "not for that name")


def meant(status: int, body: str) -> Outcome:
    answer = Answer(status, body.encode())
    return outcome_of(answer, datetime(2026, 2, 1, tzinfo=UTC), "ask whether it lets us in")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<html><title>400 No required SSL certificate was sent</title>", OUR_CERTIFICATE),
        ("<html><center>The SSL certificate error</center>", OUR_CERTIFICATE),
        ("<html><body>The plain HTTP request was sent to HTTPS port</body>", TLS),
        ("Client sent an HTTP request to an HTTPS server.\n", TLS),
        ("Reason: You're speaking plain HTTP to an SSL-enabled server port.", TLS),
        ("Bad Request\r\nThis combination of host and port requires TLS.\r\n", TLS),
        ("<html><center>Request Header Or Cookie Too Large</center>", FORM),
        ("<HTML><p>HTTP Error 400. The request hostname is invalid.</p>", NAME),
        ("<h1>Bad Message 400</h1><pre>reason: Invalid SNI</pre>", NAME),
    ],
)
def test_what_servers_say_by_400_for_want_of_a_status_closes_the_lane(
    page: str, expected: tuple[ChannelFault, str]
) -> None:
    outcome = meant(400, page)
    assert isinstance(outcome, Closed)
    assert outcome.reason is expected[0]
    assert expected[1] in outcome.detail


@pytest.mark.parametrize("status", [400, 415, 418, 422])
@pytest.mark.parametrize("body", ["", "device_id is unknown", "certificate of the meter expired"])
def test_what_may_be_about_the_alert_blames_it(status: int, body: str) -> None:
    outcome = meant(status, body)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REJECTED
    assert body in outcome.detail


@pytest.mark.parametrize("status", [401, 403, 495, 496, 498])
def test_who_is_not_let_in_reads_what_the_channel_knows_to_do(status: int) -> None:
    assert str(meant(status, "")).count("ask whether it lets us in") == 1


def test_what_is_too_large_for_the_moment_passes() -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    outcome = outcome_of(Answer(413, retry_after="60"), now, "")
    assert isinstance(outcome, Retry)
    assert outcome == Retry(Reason.BUSY, outcome.detail, timedelta(minutes=1))
    assert isinstance(outcome_of(Answer(413, retry_after="soon"), now, ""), Refused)
    assert isinstance(outcome_of(Answer(422, retry_after="60"), now, ""), Refused)
