"""Roll-outs of firmware in numbers, by version: the only metrics that name one.

Versions are what senders say, so there could be any number of them: the busiest have a name here,
and all others are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from router.domain.facts import Activation
from router.domain.words import ActivationOutcome

BUSIEST = 20
"""How many versions are named."""
OTHER = "other"
_TEXTS = {
    "activations": "Activations decided, of the busiest versions",
    "alerts": "Alerts recorded about activations",
    "alerts_delivered": "Alerts delivered about activations",
}


@dataclass(slots=True)
class RolloutCounts:
    """By firmware version."""

    activations: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By version and outcome."""
    alerts: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] = field(default_factory=Counter)

    def of(self, version: str) -> tuple[int, int, int, int]:
        """Activated, failed, Alerts, delivered."""
        succeeded, failed = (self.activations[version, each.value] for each in ActivationOutcome)
        return succeeded, failed, self.alerts[version], self.delivered[version]

    def plus(self, other: RolloutCounts) -> RolloutCounts:
        """Both together."""
        found = RolloutCounts(self.activations.copy(), self.alerts.copy(), self.delivered.copy())
        found.activations.update(other.activations)
        found.alerts.update(other.alerts)
        found.delivered.update(other.delivered)
        return found


@dataclass(frozen=True, slots=True)
class RolloutSeen:
    """One version, as the ledger has it."""

    firmware_version: str
    activated: int
    failed: int
    alerts: int
    delivered: int
    outstanding: int


class Rollouts(Collector):
    """Counts since the start of this process; with what the ledger had by then, of all time."""

    def __init__(self) -> None:
        self._since = RolloutCounts()
        self.before: RolloutCounts | None = None
        """What the ledger had at the start; None until it is counted."""
        self.outstanding: Mapping[str, int] = {}
        """Alerts that wait or are held, by version."""

    def decided(self, activation: Activation, alerts: int) -> None:
        """An activation is recorded, and so many Alerts about it."""
        version, since = activation.firmware_version, self._since
        for outcome in ActivationOutcome:  # a counter that begins at 1 shows no increase
            since.activations[version, outcome.value] += outcome is activation.outcome
        since.alerts[version] += alerts
        since.delivered[version] += 0

    def delivered(self, version: str) -> None:
        """An Alert about an activation of this version has arrived."""
        self._since.delivered[version] += 1

    def seen(self) -> Sequence[RolloutSeen]:
        """The busiest versions, those of this process first; nothing until all is counted."""
        if self.before is None:
            return ()
        whole = self.before.plus(self._since)
        return [
            RolloutSeen(version, *whole.of(version), self.outstanding.get(version, 0))
            for version in self._busiest()
        ]

    def collect(self) -> Iterator[Metric]:
        """The metrics, as Prometheus's client asks for them."""
        named = set(self._busiest())
        for name, text, counts in _tables(self._since, named):
            if name == "alerts":  # the gauge will do
                continue
            family = CounterMetricFamily(
                f"hubherald_rollout_{name}", f"{text}.", labels=_labels(name)
            )
            _fill(family, counts)
            yield family
        if self.before is not None:
            for name, text, counts in _tables(self.before.plus(self._since), named):
                gauge = GaugeMetricFamily(
                    f"hubherald_rollout_ledger_{name}",
                    f"{text}, as the ledger has them in all.",
                    labels=_labels(name),
                )
                _fill(gauge, counts)
                yield gauge
        gauge = GaugeMetricFamily(
            "hubherald_rollout_alerts_outstanding",
            "Alerts about activations that wait or are held.",
            labels=["firmware_version"],
        )
        known = dict.fromkeys(self._since.alerts, 0) | dict(self.outstanding)
        _fill(gauge, {(version,): count for version, count in _summed(known, named).items()})
        yield gauge

    def _busiest(self) -> list[str]:
        """By activations in this process; behind them what waits, and the rest of the ledger."""
        total: Counter[str] = Counter()
        for (version, _), count in self._since.activations.items():
            total[version] += count
        waiting = sorted(self.outstanding, key=lambda version: -self.outstanding[version])
        before: Counter[str] = Counter()
        for (version, _), count in self.before.activations.items() if self.before else ():
            before[version] += count
        names = [version for version, _ in total.most_common(BUSIEST)]
        names += waiting
        names += [version for version, _ in before.most_common(BUSIEST)]
        return list(dict.fromkeys(names))[:BUSIEST]


Labelled = Mapping[tuple[str, ...], int]


def _labels(name: str) -> list[str]:
    return ["firmware_version", "outcome"] if name == "activations" else ["firmware_version"]


def _tables(counts: RolloutCounts, named: set[str]) -> Iterator[tuple[str, str, Labelled]]:
    by_name: Labelled = dict(_by_name(counts.activations, named, ActivationOutcome))
    yield "activations", _TEXTS["activations"], by_name
    for name, of in (("alerts", counts.alerts), ("alerts_delivered", counts.delivered)):
        summed: Labelled = {(version,): count for version, count in _summed(of, named).items()}
        yield name, _TEXTS[name], summed


def _fill(family: CounterMetricFamily | GaugeMetricFamily, counts: Labelled) -> None:
    for labels, count in counts.items():
        family.add_metric(list(labels), count)


def _summed(counts: Mapping[str, int], named: set[str]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for version, count in counts.items():
        found[version if version in named else OTHER] += count
    return found


def _by_name(
    counts: Mapping[tuple[str, str], int], named: set[str], outcomes: Iterable[ActivationOutcome]
) -> Iterator[tuple[tuple[str, ...], int]]:
    for outcome in outcomes:
        of_outcome = {
            version: count for (version, which), count in counts.items() if which == outcome
        }
        for version, count in _summed(of_outcome, named).items():
            yield (version, outcome.value), count
