"""Recipients that misbehave, each on the lane of one user, all at once beside four good ones.

They do so until the good ones have everything: so no good lane has waited for a bad one. Then they
are mended, lanes that closed are resumed, and the rest arrives.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import trustme

from faults.line import Line
from faults.recipients import WELL, Answer, Then, refusing
from faults.row import Row
from faults.scene import FACTS, USERS, Scene

TIMEOUT_S = 2.0
REST_S = 3
OF_USER = FACTS * 3 // len(USERS)
GOOD = USERS[8:]
DRIPS = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@dataclass(frozen=True)
class Fault:
    """What one recipient does until it is mended."""

    name: str
    promised: str
    answer: Answer = WELL
    closes: bool = False
    """The lane closes, and an operator opens it."""
    certificate: Callable[[trustme.CA], trustme.LeafCert] | None = None
    arrives: bool = False
    """The recipient has what it answers so; each of these may come once more."""


def _expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))


def _of_another(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("another.example")


FAULTS: Sequence[Fault] = (
    Fault("receiver: 500 again and again", "tried again, D = 0", refusing(500)),
    Fault(
        "receiver: 429 with Retry-After",
        "the lane rests as long, D = 0",
        refusing(429, f"Retry-After: {REST_S}"),
    ),
    Fault(
        "receiver: no answer (timeout)",
        "tried again, D ≤ in flight",
        Answer(204, b"", Then.HANGS),
        arrives=True,
    ),
    Fault(
        "receiver: a body that drips",
        "the status stands, D = 0",
        Answer(200, DRIPS, drips=0.2),
    ),
    Fault(
        "receiver: reset after it took the Alert",
        "tried again, D ≤ in flight",
        Answer(204, b"", Then.RESETS),
        arrives=True,
    ),
    Fault(
        "receiver: wrong certificate",
        "lane closed, no application byte sent, D = 0",
        closes=True,
        certificate=_of_another,
    ),
    Fault(
        "receiver: expired certificate",
        "lane closed, no application byte sent, D = 0",
        closes=True,
        certificate=_expired,
    ),
    Fault(
        "receiver: redirect",
        "lane closed, nowhere followed, D = 0",
        refusing(302, "Location: /elsewhere/nobody"),
        closes=True,
    ),
)


@dataclass
class Mending:
    """Whether they are well by now, and what each did before."""

    done: bool = False
    bad: dict[str, int] = field(default_factory=dict)
    """Answers by user, before it was mended."""


def misbehaving(scene: Scene) -> Iterator[Line]:
    """All of them at once; a line for each."""
    ca, mending = trustme.CA(), Mending()
    shown: dict[str, ssl.SSLContext] = {}
    channels = {}
    ca.cert_pem.write_to_path(str(scene.estate / "ca.pem"))
    for user, fault in zip(USERS, FAULTS, strict=False):
        url, more = scene.recipients.url, {}
        if fault.certificate is not None:
            shown[user] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            fault.certificate(ca).configure_cert(shown[user])
            url, more = scene.recipients.with_tls(shown[user]), {"ca_file": "ca.pem"}
        else:
            scene.recipients.moods[user] = _mood(user, fault, mending)
        channels[user] = scene.webhook(user, url, timeout=TIMEOUT_S, **more)
    scene.configure(channels)
    scene.send()
    life = scene.start()
    have = scene.recipients.have
    life.until("good recipients have all", lambda: have(*GOOD) >= OF_USER * len(GOOD))
    closing = [user for user, fault in zip(USERS, FAULTS, strict=False) if fault.closes]
    life.until("the lanes are closed", lambda: len(life.said("lane.closed")) >= len(closing))
    early = {user: scene.recipients.requests[user] for user in USERS}
    mending.done = True
    for context in shown.values():
        ca.issue_cert("127.0.0.1").configure_cert(context)
    for user in closing:
        scene.must("lanes", "resume", user)
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.until("all is settled", lambda: not scene.kind.ask(scene.estate, _PENDING)[0][0])
    life.stop()
    for user, fault in zip(USERS, FAULTS, strict=False):
        most = mending.bad.get(user, 0) if fault.arrives else 0
        line = scene.line(fault.name, users=[user], duplicates=most, in_order=False)
        line.problems += _wrong(scene, user, fault, early[user], mending)
        line.promised = fault.promised
        line.note = f"{mending.bad.get(user, 0)} bad answers"
        yield line
    yield scene.line("receiver: four good ones beside all these", users=GOOD)


_PENDING = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'"


def _mood(user: str, fault: Fault, mending: Mending) -> Callable[[int], Answer]:
    def answer(_number: int) -> Answer:
        if mending.done:
            return WELL
        mending.bad[user] = mending.bad.get(user, 0) + 1
        return fault.answer

    return answer


def _wrong(scene: Scene, user: str, fault: Fault, early: int, mending: Mending) -> Iterator[str]:
    """What else is promised of it, and was not kept."""
    if fault.certificate is not None:
        if early:
            yield f"{early} requests through a certificate that is not theirs"
    elif not mending.bad.get(user):
        yield "it never misbehaved"
    if "redirect" in fault.name and scene.recipients.requests["nobody"]:
        yield "a redirect was followed"
    if "Retry-After" in fault.name:
        bad, at = mending.bad[user], scene.recipients.at[user]
        if (rested := at[bad] - at[bad - 1]) < REST_S - 0.1:
            yield f"asked again {rested:.1f} s after the last 429, not {REST_S} s"


ROWS = [Row("receiver: eight that misbehave at once", "as under Relay", misbehaving, brief=True)]
