"""What statuses mean for a POST of ours: who is at fault, and what is to be done. Pure.

Address, headers and credentials are the same for all Alerts of a channel, the body is not. So what
speaks of the first closes the lane, what may speak of the body blames the Alert, what passes by
itself is tried again. Where a status can mean either, the Alert is blamed: that it is parked costs
nobody else anything.

Sources: RFC 9110 (4xx, 5xx), 4918 (422 to 424, 507), 5842 (508), 6585 (428, 429, 431, 511), 7725
(451), 8470 (425), 2774 (510); nginx's ngx_http_request.h (444, 494 to 499) and the pages of
ngx_http_special_response.c, which it sends as 400; Laravel (419), IIS (440), ArcGIS (498), AWS's
load balancers (460 to 464, 561), cPanel (509), Cloudflare (520 to 530).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from router.ports import ChannelFault, Reason


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status says."""

    of: ChannelFault | Reason
    """What closes the lane; or REJECTED: this Alert; any other: it passes."""
    words: str = ""
    """What to do; or what it means, where the channel knows what to do: with our credentials."""


_NOBODY = Meaning(ChannelFault.ENDPOINT, "nobody takes Alerts at this address; correct `url`")
_POST = Meaning(ChannelFault.ENDPOINT, "nobody takes a POST at this address; correct `url`")
_PROTOCOL = Meaning(ChannelFault.ENDPOINT, "it wants another protocol than HTTP/1.1; correct `url`")
_FORM = Meaning(
    ChannelFault.ENDPOINT,
    "it can't take requests as we send them; ask the receiver what is in the way",
)
_PLAIN = Meaning(ChannelFault.ENDPOINT, "it wants TLS on this port; write https:// in `url`")
_NAME = Meaning(ChannelFault.ENDPOINT, "this server is not for that name; correct `url`")
_NOT_LET_IN = Meaning(ChannelFault.CREDENTIALS)
_NO_CERTIFICATE = Meaning(
    ChannelFault.CREDENTIALS, "it wants a certificate of ours that it trusts; "
)
_BUSY = Meaning(Reason.BUSY)
_LATER = Meaning(Reason.SERVER)
_ALERT = Meaning(Reason.REJECTED)


def _also(meaning: Meaning, words: str) -> Meaning:
    """The same, and what it means besides."""
    return Meaning(meaning.of, words)


MEANINGS: Mapping[int, Meaning] = {
    401: _NOT_LET_IN,
    402: _also(_NOT_LET_IN, "our account with it lacks something; "),
    403: _NOT_LET_IN,
    404: _NOBODY,
    405: _POST,
    407: _also(_NOT_LET_IN, "a proxy on the way wants a login; "),
    408: _BUSY,
    410: _NOBODY,
    411: _FORM,
    414: _also(_NOBODY, "this address is too long for it; correct `url`"),
    417: _FORM,  # we expect nothing, so it is something on the way
    419: _also(_NOBODY, "only its own pages may POST to this address; correct `url`"),
    420: _BUSY,
    421: _NAME,
    423: _BUSY,
    424: _LATER,  # something else failed there
    425: _BUSY,
    426: _PROTOCOL,
    428: _FORM,
    429: _BUSY,
    431: _FORM,
    440: _NOT_LET_IN,
    444: _LATER,  # told by who stands before the one that said nothing
    451: _also(_NOBODY, "something on the way must not let Alerts through; ask the receiver"),
    460: _LATER,
    463: _FORM,
    464: _PROTOCOL,
    494: _FORM,
    495: _NO_CERTIFICATE,
    496: _NO_CERTIFICATE,
    497: _PLAIN,
    498: _NOT_LET_IN,
    499: _LATER,  # told by who did not wait for the one behind it
    501: _POST,
    505: _PROTOCOL,
    510: _FORM,
    511: _also(_NOT_LET_IN, "a network on the way wants a login; "),
    526: _also(
        _NOBODY, "its proxy does not trust its server's certificate; have the receiver renew it"
    ),
    561: _NOT_LET_IN,
}
"""What is not what its hundred is: 4xx blames the Alert, 5xx passes, others close the lane."""

_PAGES: tuple[tuple[str, Meaning], ...] = (
    (r"no required ssl certificate was sent", _NO_CERTIFICATE),
    (r"the ssl certificate error", _NO_CERTIFICATE),
    (r"plain http request was sent to https", _PLAIN),
    (r"sent an http request to an https server", _PLAIN),  # Go
    (r"speaking plain http to an ssl-enabled", _PLAIN),  # Apache
    (r"combination of host and port requires tls", _PLAIN),  # Tomcat
    (r"request header or cookie too large|size of the request headers is too long", _FORM),
    (r"request hostname is invalid|invalid sni|disallowedhost", _NAME),  # IIS, Jetty, Django
)
"""What servers say by 400 for want of a status; whatever the application, it was not asked."""


def meaning(status: int, text: str) -> Meaning:
    """What an answer says; `text`: its words, which count where the status tells too little."""
    if status == 400:
        found = (each for words, each in _PAGES if re.search(words, text, re.IGNORECASE))
        return next(found, _ALERT)
    if status in MEANINGS:
        return MEANINGS[status]
    by_hundred = {4: _ALERT, 5: _LATER}
    return by_hundred.get(
        status // 100, _also(_NOBODY, "no such answer ends a POST; correct `url`")
    )
