"""Roll-outs in numbers: the busiest versions by name, all others as one, nothing lost between."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from support.samples import activation

from router.domain.words import ActivationOutcome
from router.metrics.rollouts import BUSIEST, RolloutCounts, Rollouts, RolloutSeen


def values(rollouts: Rollouts) -> dict[tuple[str, ...], float]:
    """By metric, version and outcome."""
    registry = CollectorRegistry()
    registry.register(rollouts)
    return {
        (sample.name.removeprefix("hubherald_rollout_"), *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_what_the_ledger_had_is_told_once_it_is_counted() -> None:
    rollouts = Rollouts()
    rollouts.decided(activation(version="9001"), 3)
    assert not [name for name in values(rollouts) if name[0].startswith("ledger_")]
    assert rollouts.seen() == ()
    rollouts.before = RolloutCounts(
        Counter({("9001", "success"): 4, ("8000", "failure"): 1}),
        Counter({"9001": 5}),
        Counter({"9001": 2}),
    )
    rollouts.delivered("9001")
    rollouts.outstanding = {"9001": 5}
    assert {name: value for name, value in values(rollouts).items() if "ledger" in name[0]} == {
        ("ledger_activations", "9001", "success"): 5,
        ("ledger_activations", "9001", "failure"): 0,
        ("ledger_activations", "8000", "failure"): 1,
        ("ledger_alerts", "9001"): 8,
        ("ledger_alerts_delivered", "9001"): 3,
    }
    assert rollouts.seen() == [
        RolloutSeen("9001", 5, 0, 8, 3, 5),
        RolloutSeen("8000", 0, 1, 0, 0, 0),
    ]


def test_a_version_is_counted_from_activation_to_delivery() -> None:
    rollouts = Rollouts()
    rollouts.decided(activation(version="9001"), 3)
    failed = activation(version="9001").model_copy(update={"outcome": ActivationOutcome.FAILURE})
    rollouts.decided(failed, 0)
    rollouts.delivered("9001")
    rollouts.outstanding = {"9001": 2, "8000": 7}
    assert values(rollouts) == {
        ("activations_total", "9001", "success"): 1,
        ("activations_total", "9001", "failure"): 1,
        ("alerts_delivered_total", "9001"): 1,
        ("alerts_outstanding", "9001"): 2,
        ("alerts_outstanding", "8000"): 7,
    }


def test_what_is_no_longer_outstanding_is_0_and_not_gone() -> None:
    rollouts = Rollouts()
    rollouts.decided(activation(version="9001"), 1)
    assert values(rollouts)["alerts_outstanding", "9001"] == 0


@given(st.lists(st.integers(1, 60), max_size=300))
def test_the_busiest_have_names_and_all_are_counted(versions: list[int]) -> None:
    rollouts = Rollouts()
    rollouts.before = RolloutCounts()
    for version in versions:
        rollouts.decided(activation(version=f"V{version}"), 2)
    found = values(rollouts)
    alerts = {key[1]: count for key, count in found.items() if key[0] == "ledger_alerts"}
    assert sum(alerts.values()) == 2 * len(versions)
    assert len(alerts) <= BUSIEST + 1
    counted = {f"V{version}": versions.count(version) for version in versions}
    unnamed = [count for name, count in counted.items() if name not in alerts]
    named = [counted[name] for name in alerts if name != "other"]
    assert max(unnamed, default=0) <= min(named, default=0)
