"""What a test asks of the other side, and of the adapter: named, so that a harness can say no."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

REST = timedelta(seconds=90)
"""For how long the other side asks to be left alone in `Situation.RESTS`."""


class Situation(StrEnum):
    """How the other side behaves; `Peer.turn` begins it, and connections that stand go on in it
    unless it says otherwise."""

    TAKES = "takes"
    """It takes what comes. What it was before is over, and its connections of then are closed."""

    # what it answers
    BUSY = "busy"
    """It takes nothing for now: a full disk, a 503."""
    RESTS = "rests"
    """The same, and it asks to be left alone for `REST`."""
    REFUSES = "refuses"
    """It won't take these Alerts, however it is asked."""
    REFUSES_MARKED = "refuses_marked"
    """It takes all but the Alert that `marked()` makes."""
    FORBIDS = "forbids"
    """It does not let us in: a wrong password, a 401."""
    MISSING = "missing"
    """It lets us in, and nobody takes Alerts there: a 404, no such queue or folder."""
    ECHOES = "echoes"
    """It refuses, and repeats in its answer all that it was told, secrets too."""

    # what the network makes of it
    AWAY = "away"
    """Nothing listens at its address."""
    SILENT = "silent"
    """It is reached, and says nothing; what stood already falls silent, too."""
    MUTE = "mute"
    """It takes what comes, and its answers are lost; connections stay."""
    HANGS_UP = "hangs_up"
    """It takes what comes, and the connection ends before the answer."""
    DROPS = "drops"
    """It has closed the connections that waited; whoever connects anew is served."""
    SLOW = "slow"
    """Its answers come in small pieces, and come whole."""
    DRIPS = "drips"
    """Its answers come byte by byte, and never end."""
    GARBAGE = "garbage"
    """It answers what is no answer."""
    FLOODS = "floods"
    """It answers some megabytes of what is no answer."""

    # TLS, each for connections made from then on; those that stand are closed
    TLS = "tls"
    """It shows a certificate that the options trust."""
    UNTRUSTED = "untrusted"
    """One that nobody vouches for. Where the other side is known by something else than
    certificates, such as a host key: a wrong one."""
    MISNAMED = "misnamed"
    """A good one of another host."""
    EXPIRED = "expired"
    """One that was good until yesterday."""
    OUTDATED = "outdated"
    """It knows TLS 1.1 alone."""
    PLAIN = "plain"
    """It knows no TLS, though the options ask for it."""


class Ability(StrEnum):
    """What adapters may do without, and some tests are about."""

    BATCHES = "batches"
    """Several Alerts in one `deliver`."""
    BODIES = "bodies"
    """The other side gets the bytes of the delivery."""
    SECRETS = "secrets"
    """Options that hold secrets."""
    CONNECTIONS = "connections"
    """Connections, that the other side can count."""
    REUSE = "reuse"
    """A connection that serves several sends, one after the other."""


NETWORK = (
    Situation.AWAY,
    Situation.SILENT,
    Situation.MUTE,
    Situation.HANGS_UP,
    Situation.DROPS,
    Situation.SLOW,
    Situation.DRIPS,
    Situation.GARBAGE,
    Situation.FLOODS,
)
"""What a `Gate` does to any connection over TCP."""
SECURE = (
    Situation.TLS,
    Situation.UNTRUSTED,
    Situation.MISNAMED,
    Situation.EXPIRED,
    Situation.OUTDATED,
    Situation.PLAIN,
)
"""What a `Gate` does to TLS."""


def because(reason: str, *needs: Situation | Ability) -> dict[Situation | Ability, str]:
    """What a harness can't, and why, for its `cannot`; several are joined by `|`."""
    return dict.fromkeys(needs, reason)
