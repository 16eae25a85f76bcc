"""Every metric, once. Labels hold only what is configured or enumerated, never a Device ID."""

from __future__ import annotations

import platform
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43200, 172800)


class Metrics:
    """The metrics of one router, with a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"hubherald_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"hubherald_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"hubherald_{name}", text, labels, buckets=buckets, registry=registry)

        self.build = Info("hubherald_build", "What runs.", registry=registry)
        self.build.info({"version": version("hubherald"), "python": platform.python_version()})

        # intake
        self.messages = counter("intake_messages", "Messages taken from a source.", "source")
        self.redelivered = counter(
            "intake_redelivered_messages",
            "Messages that had been given out before without being acknowledged.",
            "source",
        )
        self.facts = counter(
            "facts", "Facts recorded, by what they did.", "source", "type", "effect"
        )
        self.duplicates = counter("facts_duplicate", "Facts that were there already.", "source")
        self.quarantined = counter(
            "facts_quarantined", "Facts put in quarantine.", "source", "reason"
        )
        self.batch = histogram(
            "intake_batch_messages", "Messages in one batch.", (1, 2, 5, 10, 25, 50, 100, 250, 500)
        )
        self.intake_up = gauge("intake_up", "1 while facts can come from the source.", "source")
        self.intake_connected = gauge(
            "intake_connected", "1 while the connection of the source stands.", "source"
        )
        self.intake_connections = gauge(
            "intake_connections", "Connections that the source made, since the start.", "source"
        )
        self.lag = histogram(
            "activation_lag_seconds", "From activation to decision.", _LONG, "source"
        )

        # decisions
        self.decisions = counter("decisions", "Decisions on candidates.", "role", "outcome")
        self.rule_hits = counter(
            "rule_decisions", "Decisions by the rule that made them.", "rule", "outcome"
        )
        self.evaluation = histogram(
            "evaluation_seconds", "Time to evaluate the rules on one batch.", _SHORT
        )
        self.mismatches = counter(
            "engine_mismatches", "Evaluations in which the second opinion differed."
        )
        self.rebuilds = counter("engine_rebuilds", "Times that the engine was rebuilt.")
        self.rules = gauge("rules", "Rules that are live.")
        self.rules_info = gauge(
            "rules_live_info", "1 for the digest of the rules that are live.", "digest"
        )
        self.rules_reload = gauge(
            "rules_last_reload_successful", "1 when the last load of rules and users succeeded."
        )
        self.rules_loaded = gauge(
            "rules_last_reload_success_timestamp_seconds",
            "When rules and users were last loaded with success.",
        )
        self.reloads = counter("rules_reloads", "Reloads asked for.", "trigger", "outcome")

        # delivery
        self.alerts = counter("alerts", "Alerts recorded.", "recipient")
        self.attempts = counter(
            "delivery_attempts",
            "Answers to sends, one for each Alert.",
            "recipient",
            "channel",
            "adapter",
            "outcome",
            "reason",
        )
        self.send = histogram(
            "delivery_send_seconds",
            "Time of one send, until the other side answered or confirmed.",
            _SHORT,
            "adapter",
        )
        self.delivery = histogram(
            "alert_delivery_seconds", "From decision to delivery.", _LONG, "adapter"
        )
        self.parked = counter("alerts_parked", "Alerts parked.", "recipient", "channel")
        self.withdrawn = counter("alerts_withdrawn", "Alerts withdrawn.", "recipient", "channel")
        self.in_flight = gauge("lane_in_flight", "Alerts being sent.", "recipient", "channel")
        self.waiting = gauge("lane_waiting", "Alerts not yet settled.", "recipient", "channel")
        self.oldest = gauge(
            "lane_oldest_decided_timestamp_seconds",
            "When the oldest unsettled Alert was decided; 0 when there is none.",
            "recipient",
            "channel",
        )
        self.lane_open = gauge("lane_open", "1 while the lane is open.", "recipient", "channel")
        self.lane_failures = gauge(
            "lane_consecutive_failures",
            "Sends in vain since one came through; from 1 on the oldest Alert goes alone.",
            "recipient",
            "channel",
        )
        self.lane_connected = gauge(
            "lane_connected", "1 while the connection of the lane stands.", "recipient", "channel"
        )
        self.lane_connections = gauge(
            "lane_connections",
            "Connections that the lane made, since the start.",
            "recipient",
            "channel",
        )
        self.of_lanes = (
            self.in_flight,
            self.waiting,
            self.oldest,
            self.lane_open,
            self.lane_failures,
        )
        """Those that the router sets while it has the lane."""
        self.certificate_expiry = gauge(
            "certificate_expiry_timestamp_seconds",
            "Until when a certificate of ours holds; none while its file can't be read.",
            "recipient",
            "channel",
            "use",
        )

        # ledger
        self.commit = histogram(
            "ledger_transaction_seconds", "Time of one transaction.", _SHORT, "part"
        )
        self.ledger_up = gauge("ledger_up", "1 while the ledger takes transactions.")
