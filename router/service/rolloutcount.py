"""What the ledger had of roll-outs at the start, counted aside while the router goes on."""

from __future__ import annotations

import asyncio
from contextlib import closing
from threading import Event

import structlog

from router.errors import LedgerError
from router.ledger.database import Use, open_database
from router.ledger.queries.rollout_totals import Upto, rollout_totals
from router.metrics.rollouts import RolloutCounts, Rollouts
from router.ports import Aside

_log = structlog.get_logger(__name__)


async def count_rollouts(rollouts: Rollouts, ledger_url: str, upto: Upto) -> None:
    """Count it once; where the ledger can't be read, nothing is told of all time."""
    ended = Event()
    try:
        found = await Aside("rollouts").call(_count, ledger_url, upto, ended)
    except LedgerError as error:
        _log.warning("rollouts.not_counted", detail=str(error), advice="`hubherald rollout` does")
    except asyncio.CancelledError:
        ended.set()
        raise
    else:
        rollouts.before = found


def _count(ledger_url: str, upto: Upto, ended: Event) -> RolloutCounts | None:
    with closing(open_database(ledger_url, Use.READ)) as database:
        found = rollout_totals(database, upto, lambda: not ended.is_set())
    if found is None:
        return None
    return RolloutCounts(found.activations, found.alerts, found.delivered)
