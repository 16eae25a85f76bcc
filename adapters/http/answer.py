"""What an HTTP answer, or the lack of one, means for the Alerts that were sent. Pure."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from adapters.http.page import words_of
from adapters.http.statuses import Meaning, meaning
from adapters.tls import distrust
from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Outcome,
    Reason,
    Refused,
    Retry,
    in_one_line,
)

LONGEST_REST = timedelta(hours=24)
"""No receiver may ask to be left alone for longer: Alerts are held for 48 hours."""
_SHOWN = 200
"""Characters of an answer's body that are worth keeping with the attempt."""


class NoStatusError(Exception):
    """What came can't be an answer. The text, for people, holds nothing of the request."""


class EndedError(Exception):
    """The connection ended, or broke, before a status came."""


class SilenceError(EndedError):
    """And before a single byte did."""


class UnderwayError(Exception):
    """What we go through did not let us get to the receiver; nothing of a request was sent."""

    def __init__(self, outcome: Retry | Closed) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome
        """What it means, for people too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    body: bytes = b""
    """The beginning of it."""
    retry_after: str | None = None
    location: str | None = None
    untidy: str = ""
    """What was wrong with its form, for people; it changes nothing."""
    whole: bool = True
    """Whether `body` is all of it."""


def outcome_of(answer: Answer, now: datetime, credentials: str) -> Outcome:
    """The status decides; the body is only for people.

    `credentials` is the advice of this channel for when the receiver does not let us in.
    """
    if answer.status // 100 == 2:
        return Delivered(f"{answer.status}{_note(answer)}")
    said = _said(answer)
    if answer.status // 100 == 3:
        to = f" to {in_one_line(_bare(answer.location), _SHOWN)}" if answer.location else ""
        return Closed(
            ChannelFault.ENDPOINT, f"{said}{to}; redirects are not followed; correct `url`"
        )
    if answer.status == 409:
        known = "counts as delivered: the receiver has it already"
        return Delivered(f"{said.removeprefix('answered ')}; {known}")
    found, rest = meaning(answer.status, _words(answer)), _rest(answer.retry_after, now)
    if answer.status == 413 and rest:  # for the moment only (RFC 9110, 15.5.14)
        found = Meaning(Reason.BUSY)
    match found.of:
        case ChannelFault() as fault:
            advice = credentials if fault is ChannelFault.CREDENTIALS else ""
            return Closed(fault, f"{said}; {found.words}{advice}")
        case Reason.REJECTED:
            return Refused(found.of, said)
    return Retry(found.of, said, rest)


def outcome_of_failure(error: Exception, host: str, trust: str) -> Retry | Closed:
    """What it means that no answer came; `trust` is the advice for a certificate that is wrong."""
    if isinstance(error, UnderwayError):
        return error.outcome
    if isinstance(error, NoStatusError):
        return Retry(Reason.SERVER, f"{host}: {in_one_line(str(error), _SHOWN)}")
    for cause in causes_of(error):
        if why := distrust(cause):
            detail = in_one_line(f"the certificate that {host} shows is not valid: {why}")
            return Closed(ChannelFault.ENDPOINT, f"{detail}; nothing was sent; {trust}")
    return Retry(Reason.NETWORK, f"{host}: {in_one_line(_reason(error), _SHOWN)}")


def causes_of(error: BaseException | None) -> list[BaseException]:
    """The error and what is below it, where TLS says more than HTTP."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _reason(error: Exception) -> str:
    """Without the text of the library, which may hold the URL."""
    causes = causes_of(error)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
            return f"TLS failed: {reason}"
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    if isinstance(error, EndedError):
        return "the connection ended before an answer came"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(causes[-1]).__name__).lower()


def _said(answer: Answer) -> str:
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    text = in_one_line(_words(answer), _SHOWN)
    return f"answered {answer.status}{phrase}{_note(answer)}" + (f": {text}" if text else "")


def _words(answer: Answer) -> str:
    words = words_of(answer.body.decode(errors="replace"))
    return words if answer.whole or not words else f"{words}..."  # it may end within a secret


def _note(answer: Answer) -> str:
    return f" (untidy: {answer.untidy})" if answer.untidy else ""


def _bare(url: str | None) -> str:
    """The address without user, query and fragment, which may be secret."""
    plain = re.split(r"[?#]", url or "", maxsplit=1)[0]
    return re.sub(r"//[^/]*@", "//", plain)


def _rest(retry_after: str | None, now: datetime) -> timedelta | None:
    """Retry-After is a number of seconds or a date; None when it is neither, or over."""
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        rest = LONGEST_REST if len(text) > 9 else timedelta(seconds=int(text))
    else:
        try:
            until = parsedate_to_datetime(text)
            if until.tzinfo is None:
                until = until.replace(tzinfo=UTC)
            rest = until - now
        except (ValueError, OverflowError, IndexError, TypeError):
            return None
    return min(rest, LONGEST_REST) if rest > timedelta() else None
