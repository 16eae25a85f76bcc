"""Between which steps of intake and relay a router can be stopped, and what else can be done to it.

The router knows nothing of these: `launcher.py` wraps the functions, in a process of the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def always(*_args: Any, **_more: Any) -> bool:
    """Whatever it is called with."""
    return True


def _settles(_connection: Any, _recorder: Any, settled: Any) -> bool:
    return bool(list(settled))


def _has_settled(_database: Any, *, news: Any, **_more: Any) -> bool:
    return bool(news.settled)


def _unfinished(file: Any, _target: Any) -> bool:
    return str(file).endswith(".part")


@dataclass(frozen=True)
class Point:
    """Before or after a call."""

    module: str
    function: str
    """Its name there; `Class.method` where it has one."""
    after: bool
    when: Callable[..., bool] = always
    """Asked with the arguments of the call: whether this one counts."""


INTAKE = {
    "taken up, nothing begun": Point("router.intake.intake", "decide", after=False),
    "looked up, nothing decided": Point("router.intake.deciding", "look_up", after=True),
    "recorded, before the commit": Point("router.intake.deciding", "record", after=True),
    "after the commit, before anybody hears": Point("router.intake.intake", "decide", after=True),
    "after the commit, before the ack": Point(
        "adapters.rabbitmq.source", "RabbitSource.acknowledge", after=False
    ),
    "after the ack": Point("adapters.rabbitmq.source", "RabbitSource.acknowledge", after=True),
}
RELAY = {
    "claimed, before the attempt is committed": Point(
        "router.ledger.deliveries", "claim", after=True
    ),
    "after the attempt, before the send": Point(
        "router.delivery.relay", "Sending.run", after=False
    ),
    "after the send, before the settlement": Point(
        "router.delivery.relay", "Relay._answered", after=False
    ),
    "answered, before it is taken along": Point(
        "router.delivery.relay", "Relay._answered", after=True
    ),
    "settled, before the commit": Point(
        "router.ledger.deliveries", "settle", after=True, when=_settles
    ),
    "after the settlement's commit": Point(
        "router.delivery.relay", "exchange", after=True, when=_has_settled
    ),
}
FOLDER = {
    "written, before it has its name": Point(
        "pathlib", "Path.rename", after=False, when=_unfinished
    )
}
POINTS = {**INTAKE, **RELAY, **FOLDER}
"""By what has been done and what has not."""
HALF_A_FILE = "half of the file is written"
POISON = "a fact that kills"
NO_VERDICT = "an evaluation that fails"
MARK = "FEED0BAD"
"""The firmware version of facts that kill, or whose evaluation fails."""
