"""What is to be seen of the intake: its metrics, and a line in the log for what it can't use."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from router.deciding.batch import Accepted, Arrival, Batch
from router.domain.facts import Activation
from router.metrics.metrics import Metrics

_log = structlog.get_logger(__name__)


class ObservedIntake:
    """Counts what is committed, whatever source brought it."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def recorded(self, arrivals: Sequence[Arrival], batch: Batch) -> None:
        """A batch is committed: what became of each of its messages."""
        metrics = self.metrics
        for accepted in batch.accepted:
            self._accepted(accepted, batch)
        self._misfits(batch)
        for each in batch.quarantined:
            metrics.quarantined.labels(each.arrival.intake, each.reason.value).inc()
            _log.warning(
                "fact.quarantined",
                origin=f"{each.arrival.intake} {each.arrival.message.origin}",
                reason=each.reason.value,
                detail=each.detail,
            )
        told = {id(each.arrival) for each in batch.accepted}
        told |= {id(each.arrival) for each in batch.quarantined}
        repeated = sum(id(arrival) not in told for arrival in arrivals)
        if repeated:
            metrics.duplicates.labels(arrivals[0].intake).inc(repeated)

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
        metrics.facts.labels(intake, data.type.value, accepted.effect.value).inc()
        if isinstance(data, Activation):
            metrics.rollouts.decided(data, len(accepted.due))
            lag = (batch.decided_at - data.activated_at).total_seconds()
            metrics.lag.labels(intake).observe(max(lag, 0.0))
        if accepted.fact.time is not None:
            lag = (batch.decided_at - accepted.fact.time).total_seconds()
            metrics.publish_lag.labels(intake).observe(max(lag, 0.0))
        for decision in accepted.decisions:
            role = decision.party.role.value if decision.party else ""
            metrics.decisions.labels(role, decision.verdict.value).inc()
            if decision.rule is not None:
                metrics.rule_hits.labels(decision.rule, decision.verdict.value).inc()
        for due in accepted.due:
            metrics.alerts.labels(due.service_user_id).inc()
