"""Roll-outs of firmware in numbers, by version: the only metrics that name one.

Versions are what senders say, so there could be any number of them: the busiest have a name here,
and all others are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from router.domain.facts import Activation
from router.domain.words import ActivationOutcome

BUSIEST = 20
"""How many versions are named."""
OTHER = "other"


class Rollouts(Collector):
    """Counts since the start of this process; what is outstanding is as the ledger says."""

    def __init__(self) -> None:
        self._activations: Counter[tuple[str, str]] = Counter()
        self._alerts: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter()
        self.outstanding: Mapping[str, int] = {}
        """Alerts that wait or are held, by version."""

    def decided(self, activation: Activation, alerts: int) -> None:
        """An activation is recorded, and so many Alerts about it."""
        version = activation.firmware_version
        for outcome in ActivationOutcome:  # a counter that begins at 1 shows no increase
            self._activations[version, outcome.value] += outcome is activation.outcome
        self._alerts[version] += alerts
        self._delivered[version] += 0

    def delivered(self, version: str) -> None:
        """An Alert about an activation of this version has arrived."""
        self._delivered[version] += 1

    def collect(self) -> Iterator[Metric]:
        """The metrics, as Prometheus's client asks for them."""
        named = self._busiest()
        activations = CounterMetricFamily(
            "hubherald_rollout_activations",
            "Activations decided, of the busiest versions.",
            labels=["firmware_version", "outcome"],
        )
        for (version, outcome), count in _by_name(self._activations, named, ActivationOutcome):
            activations.add_metric([version, outcome], count)
        yield activations
        for name, text, counts in (
            ("alerts", "Alerts recorded about activations.", self._alerts),
            ("alerts_delivered", "Alerts delivered about activations.", self._delivered),
        ):
            family = CounterMetricFamily(
                f"hubherald_rollout_{name}", text, labels=["firmware_version"]
            )
            for version, count in _summed(counts, named).items():
                family.add_metric([version], count)
            yield family
        gauge = GaugeMetricFamily(
            "hubherald_rollout_alerts_outstanding",
            "Alerts about activations that wait or are held.",
            labels=["firmware_version"],
        )
        known = dict.fromkeys(self._alerts, 0) | dict(self.outstanding)
        for version, count in _summed(known, named).items():
            gauge.add_metric([version], count)
        yield gauge

    def _busiest(self) -> set[str]:
        """By activations in this process; what only waits comes behind them."""
        total: Counter[str] = Counter()
        for (version, _), count in self._activations.items():
            total[version] += count
        waiting = sorted(self.outstanding, key=lambda version: -self.outstanding[version])
        names = [version for version, _ in total.most_common(BUSIEST)]
        names += [version for version in waiting if version not in total]
        return set(names[:BUSIEST])


def _summed(counts: Mapping[str, int], named: set[str]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for version, count in counts.items():
        found[version if version in named else OTHER] += count
    return found


def _by_name(
    counts: Mapping[tuple[str, str], int], named: set[str], outcomes: Iterable[ActivationOutcome]
) -> Iterator[tuple[tuple[str, str], int]]:
    for outcome in outcomes:
        of_outcome = {
            version: count for (version, which), count in counts.items() if which == outcome
        }
        for version, count in _summed(of_outcome, named).items():
            yield (version, outcome.value), count
