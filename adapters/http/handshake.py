"""What it means that a receiver and we could not agree on TLS.

With mutual TLS either side can refuse the other. Somebody has to mend that, so the lane closes; a
network that fails mends by itself.
"""

from __future__ import annotations

import re
import ssl
from pathlib import Path

from adapters.http.answer import causes_of, outcome_of_failure
from adapters.http.session import NO_ANSWER, HttpSession, HungUpError
from adapters.tls import TlsFilesError
from router.ports import ChannelFault, Closed, Reason, Retry

_OURS = re.compile(r"ALERT_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)")
"""What a server says that does not want our certificate, or has no way to use its key."""
_OLD = re.compile(r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW")
"""What comes of a server that knows nothing newer than TLS 1.1."""
HUNG_UP = "it hangs up as soon as it has seen it"


async def failure_of(
    error: Exception, session: HttpSession, certificate_file: Path, trust: str
) -> Retry | Closed:
    """What it means that a receiver that is shown our certificate gave no answer."""
    found = meaning_of(error, session, certificate_file, trust)
    if not (isinstance(found, Retry) and found.reason is Reason.NETWORK):
        return found
    # What a server says against our certificate can get lost behind what we were writing, and
    # some hang up without a word. A handshake alone tells them from a network that fails.
    try:
        await session.shake_hands()
    except TlsFilesError:
        return found
    except HungUpError:
        return unwanted(session.where, certificate_file, HUNG_UP)
    except NO_ANSWER as again:
        closed = meaning_of(again, session, certificate_file, trust)
        return closed if isinstance(closed, Closed) else found
    return found


def meaning_of(
    error: Exception, session: HttpSession, certificate_file: Path, trust: str
) -> Retry | Closed:
    """The same, as far as this error alone says."""
    closed = refusal(error, session.where, certificate_file)
    return closed or outcome_of_failure(error, session.where, trust)


def refusal(error: Exception, where: str, certificate_file: Path) -> Closed | None:
    """Why the handshake with `where` can't succeed before somebody mends it; None: it may."""
    reason = _reason(error)
    if _OLD.search(reason):
        detail = f"{where} speaks no TLS of version 1.2 or later ({reason}); nothing was sent"
        advice = "have its TLS brought up to date"
        return Closed(ChannelFault.ENDPOINT, f"{detail}; {advice}")
    if _OURS.search(reason):
        return unwanted(where, certificate_file, reason)
    return None


def unwanted(where: str, certificate_file: Path, reason: str) -> Closed:
    """The receiver does not let us in with our certificate."""
    detail = f"{where} does not accept our certificate ({certificate_file}): {reason}"
    advice = "ask the receiver which CA it trusts, or correct `certificate_file` and `key_file`"
    return Closed(ChannelFault.CREDENTIALS, f"{detail}; nothing was taken; {advice}")


def _reason(error: Exception) -> str:
    """OpenSSL's name of it, such as TLSV1_ALERT_UNKNOWN_CA; empty when TLS said nothing."""
    for cause in causes_of(error):
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
            return str(reason)
    return ""
