"""Every metric keeps Prometheus's conventions and carries no label that grows without bound."""

import subprocess

from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from support.servers import program

from router.metrics.metrics import Metrics

# from configured or enumerated values, all of them: never a Device ID or a meter point
BOUNDED = {"source", "type", "recipient", "adapter", "channel", "role", "rule", "outcome", "reason"}
BOUNDED |= {"effect", "part", "digest", "use", "trigger", "since", "place", "name"}


def own(metrics: Metrics) -> list[MetricWrapperBase]:
    return [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def test_promtool_has_nothing_to_say() -> None:
    metrics = Metrics()
    for metric in own(metrics):
        if names := metric._labelnames:  # so that each has a sample
            metric.labels(*names)
    said = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        check=False,
    )
    assert (said.stdout, said.stderr, said.returncode) == (b"", b"", 0)


def test_labels_are_bounded_and_names_prefixed() -> None:
    metrics = own(Metrics())
    assert len(metrics) > 20
    assert {name for metric in metrics for name in metric._labelnames} <= BOUNDED
    assert all(metric._name.startswith("hubherald_") for metric in metrics)
