"""What is to be seen of the intake: its metrics, and a line in the log for what it can't use."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache

import structlog
from prometheus_client import Counter as MetricCounter

from router.deciding.batch import Accepted, Arrival, Batch, Quarantined
from router.domain.facts import Activation
from router.domain.words import QuarantineReason
from router.intake.deciding import DecidedPiece
from router.metrics.metrics import Metrics

TOLD = 3
"""Facts of one batch that the log tells of one by one, for each reason; the rest is one line."""
_log = structlog.get_logger(__name__)


class ObservedIntake:
    """Counts what is committed, whatever source brought it."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._lag = cache(metrics.lag.labels)
        self._publish_lag = cache(metrics.publish_lag.labels)

    def decided(self, decided: DecidedPiece, seconds: float) -> None:
        """A transaction that took so many seconds, the judgement in it."""
        metrics = self.metrics
        metrics.ledger_up.set(1)
        metrics.commit.labels("intake").observe(seconds - decided.judging)
        metrics.evaluation.observe(decided.judging)
        metrics.mismatches.inc(decided.mismatches)
        metrics.rebuilds.inc(decided.rebuilds)

    def recorded(self, arrivals: Sequence[Arrival], batch: Batch) -> None:
        """A batch is committed: what became of each of its messages."""
        metrics = self.metrics
        for accepted in batch.accepted:
            self._accepted(accepted, batch)
        self._decided(batch)
        self._misfits(batch)
        self._quarantined(batch)
        told = {id(each.arrival) for each in batch.accepted}
        told |= {id(each.arrival) for each in batch.quarantined}
        resolved = {None, *batch.resolved}  # what is neither goes on waiting
        repeated = sum(
            id(each) not in told and each.quarantined_id in resolved for each in arrivals
        )
        if repeated:
            metrics.duplicates.labels(arrivals[0].intake).inc(repeated)

    def suspect(self, arrival: Arrival, kills: int) -> None:
        """A fact is taken up that the router has died on."""
        _log.warning(
            "fact.suspect",
            origin=f"{arrival.intake} {arrival.message.origin}",
            kills=kills,
            deliveries=arrival.message.deliveries,
        )

    def _quarantined(self, batch: Batch) -> None:
        """All counted, and all to be found in quarantine; of many for one reason a few are told."""
        alike: defaultdict[tuple[str, QuarantineReason], list[Quarantined]] = defaultdict(list)
        for each in batch.quarantined:
            alike[each.arrival.intake, each.reason].append(each)
        for (intake, reason), found in alike.items():
            self.metrics.quarantined.labels(intake, reason.value).inc(len(found))
            for each in found[:TOLD]:
                _log.warning(
                    "fact.quarantined",
                    origin=f"{intake} {each.arrival.message.origin}",
                    reason=reason.value,
                    detail=each.detail,
                )
            if (more := len(found) - TOLD) > 0:
                _log.warning(
                    "fact.quarantined_more",
                    count=more,
                    reason=reason.value,
                    last=f"{intake} {found[-1].arrival.message.origin}",
                    advice=f"`hubherald quarantine list --reason {reason.value}` shows all",
                )

    def _misfits(self, batch: Batch) -> None:
        """Registrations whose meter point number does not check: all counted, one line for all."""
        found = [each for each in batch.accepted if each.fact.misfit]
        for each in found:
            self.metrics.misfits.labels(each.arrival.intake).inc()
        if found:
            first = found[0]
            _log.warning(
                "registration.misfit",
                count=len(found),
                first=f"{first.arrival.intake} {first.arrival.message.origin}",
                detail=first.fact.misfit,
                advice="taken all the same; `facts: {check_digits: refuse}` would quarantine it",
            )

    def _accepted(self, accepted: Accepted, batch: Batch) -> None:
        metrics, data = self.metrics, accepted.fact.data
        intake = accepted.arrival.intake
        if isinstance(data, Activation):
            metrics.rollouts.decided(data, len(accepted.due))
            lag = (batch.decided_at - data.activated_at).total_seconds()
            self._lag(intake).observe(max(lag, 0.0))
        if accepted.fact.time is not None:
            lag = (batch.decided_at - accepted.fact.time).total_seconds()
            self._publish_lag(intake).observe(max(lag, 0.0))

    def _decided(self, batch: Batch) -> None:
        """What a batch has many of is counted once for each kind."""
        metrics = self.metrics
        accepted = batch.accepted
        counts: dict[MetricCounter, Counter[tuple[str, ...]]] = {
            metrics.facts: Counter(
                (each.arrival.intake, each.fact.data.type.value, each.effect.value)
                for each in accepted
            ),
            metrics.decisions: Counter(
                (made.party.role.value if made.party else "", made.verdict.value)
                for each in accepted
                for made in each.decisions
            ),
            metrics.rule_hits: Counter(
                (made.rule, made.verdict.value)
                for each in accepted
                for made in each.decisions
                if made.rule is not None
            ),
            metrics.alerts: Counter(
                (due.service_user_id,) for each in accepted for due in each.due
            ),
        }
        for metric, found in counts.items():
            for labels, count in found.items():
                metric.labels(*labels).inc(count)
