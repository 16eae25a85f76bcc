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
    disable_created_metrics,
)

from router.metrics.rollouts import Rollouts

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LONG = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43200, 172800)


class Metrics:
    """The metrics of one router, with a registry of their own."""

    def __init__(self) -> None:
        # a series more for each counter, and nobody asks for them
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        self.build = Info("hubherald_build", "What runs.", registry=registry)
        self.build.info({"version": version("hubherald"), "python": platform.python_version()})

        self.rollouts = Rollouts()
        registry.register(self.rollouts)
        self._of_the_intake()
        self._of_decisions()
        self._of_delivery()
        self._of_the_process()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hubherald_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"hubherald_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        name = f"hubherald_{name}"
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _of_the_intake(self) -> None:
        self.messages = self._counter("intake_messages", "Messages taken from a source.", "source")
        self.redelivered = self._counter(
            "intake_redelivered_messages",
            "Messages that had been given out before without being acknowledged.",
            "source",
        )
        self.facts = self._counter(
            "facts", "Facts recorded, by what they did.", "source", "type", "effect"
        )
        self.duplicates = self._counter(
            "facts_duplicate", "Facts that were there already.", "source"
        )
        self.misfits = self._counter(
            "facts_wrong_check_digits",
            "Registrations taken although the check digits of their meter point do not fit.",
            "source",
        )
        self.quarantined = self._counter(
            "facts_quarantined", "Facts put in quarantine.", "source", "reason"
        )
        self.in_quarantine = self._gauge(
            "quarantine_waiting", "Facts that are in quarantine now.", "reason"
        )
        self.clock_steps = self._counter(
            "clock_steps", "Steps of the machine's clock that what waits was moved along with."
        )
        self.ledger_ahead = self._gauge(
            "ledger_ahead_seconds",
            "How far the newest moment of the ledger lay ahead of the clock, when last compared.",
        )
        self.batch = self._histogram(
            "intake_batch_messages", "Messages in one batch.", (1, 2, 5, 10, 25, 50, 100, 250, 500)
        )
        self.intake_up = self._gauge(
            "intake_up", "1 while facts can come from the source.", "source"
        )
        self.intake_connected = self._gauge(
            "intake_connected", "1 while the connection of the source stands.", "source"
        )
        self.intake_connections = self._gauge(
            "intake_connections", "Connections that the source made, since the start.", "source"
        )
        self.ignored_files = self._gauge(
            "intake_ignored_files", "Files and folders in the source that are not read.", "source"
        )
        self.replaced_files = self._gauge(
            "intake_replaced_files",
            "Files that were read anew, as another one had the name, since the start.",
            "source",
        )
        self.lag = self._histogram(
            "activation_lag_seconds", "From activation to decision.", _LONG, "source"
        )
        self.publish_lag = self._histogram(
            "publish_lag_seconds",
            "From the event's own time, when its sender made it, to decision.",
            _LONG,
            "source",
        )

    def _of_decisions(self) -> None:
        self.decisions = self._counter("decisions", "Decisions on candidates.", "role", "outcome")
        self.rule_hits = self._counter(
            "rule_decisions", "Decisions by the rule that made them.", "rule", "outcome"
        )
        self.evaluation = self._histogram(
            "evaluation_seconds", "Time to evaluate the rules on one batch.", _SHORT
        )
        self.mismatches = self._counter(
            "engine_mismatches", "Evaluations in which the second opinion differed."
        )
        self.rebuilds = self._counter("engine_rebuilds", "Times that the engine was rebuilt.")
        self.rules = self._gauge("rules", "Rules that are live.")
        self.rules_info = self._gauge(
            "rules_live_info", "1 for the digest of the rules that are live.", "digest"
        )
        self.rules_reload = self._gauge(
            "rules_last_reload_successful", "1 when the last load of rules and users succeeded."
        )
        self.rules_loaded = self._gauge(
            "rules_last_reload_success_timestamp_seconds",
            "When rules and users were last loaded with success.",
        )
        self.reloads = self._counter("rules_reloads", "Reloads asked for.", "trigger", "outcome")

    def _of_delivery(self) -> None:
        self.alerts = self._counter("alerts", "Alerts recorded.", "recipient")
        self.attempts = self._counter(
            "delivery_attempts",
            "Answers to sends, one for each Alert.",
            "recipient",
            "channel",
            "adapter",
            "outcome",
            "reason",
        )
        self.send = self._histogram(
            "delivery_send_seconds",
            "Time of one send, until the other side answered or confirmed.",
            _SHORT,
            "adapter",
        )
        self.delivery = self._histogram(
            "alert_delivery_seconds",
            "To delivery, since the activation, the receipt of its fact, or the decision.",
            _LONG,
            "since",
            "recipient",
            "adapter",
        )
        self.parked = self._counter("alerts_parked", "Alerts parked.", "recipient", "channel")
        self.withdrawn = self._counter(
            "alerts_withdrawn",
            "Alerts withdrawn, by the router or by an operator.",
            "recipient",
            "channel",
        )
        self.in_flight = self._gauge("lane_in_flight", "Alerts being sent.", "recipient", "channel")
        self.waiting = self._gauge(
            "lane_waiting", "Alerts not yet settled, on an open lane.", "recipient", "channel"
        )
        self.held = self._gauge(
            "lane_held", "Alerts not yet settled, on a closed lane.", "recipient", "channel"
        )
        self.parked_now = self._gauge(
            "lane_parked", "Alerts that are parked now.", "recipient", "channel"
        )
        self.oldest = self._gauge(
            "lane_oldest_decided_timestamp_seconds",
            "When the oldest unsettled Alert was decided; 0 when there is none.",
            "recipient",
            "channel",
        )
        self.lane_open = self._gauge(
            "lane_open", "1 while the lane is open.", "recipient", "channel"
        )
        self.lane_closed = self._gauge(
            "lane_closed_info", "1 while the lane is closed.", "recipient", "channel", "reason"
        )
        self.service_users = self._gauge(
            "service_user_info",
            "1 for each Service User that is live, by id as `recipient`, with its name.",
            "recipient",
            "name",
        )
        self.lane_failures = self._gauge(
            "lane_consecutive_failures",
            "Failures of the oldest Alert since one came through; from 1 on one goes at a time.",
            "recipient",
            "channel",
        )
        self.lane_connected = self._gauge(
            "lane_connected", "1 while the connection of the lane stands.", "recipient", "channel"
        )
        self.lane_connections = self._gauge(
            "lane_connections",
            "Connections that the lane made, since the start.",
            "recipient",
            "channel",
        )
        self.of_lanes = (
            self.in_flight,
            self.waiting,
            self.held,
            self.parked_now,
            self.oldest,
            self.lane_open,
            self.lane_failures,
        )
        """Those that the router sets while it has the lane."""
        self.certificate_expiry = self._gauge(
            "certificate_expiry_timestamp_seconds",
            "Until when a certificate of ours holds; none while its file can't be read.",
            "recipient",
            "channel",
            "use",
        )

    def _of_the_process(self) -> None:
        self.commit = self._histogram(
            "ledger_transaction_seconds", "Time of one transaction.", _SHORT, "part"
        )
        self.ledger_up = self._gauge("ledger_up", "1 while the ledger takes transactions.")
        self.ledger_size = self._gauge(
            "ledger_size_bytes", "How large the ledger is on disk: database, and log.", "part"
        )
        self.head_written = self._gauge(
            "ledger_head_written_timestamp_seconds",
            "When the ends of the chains were last written beside the ledger, or to the folder.",
            "place",
        )
        self.loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop wakes up.", _SHORT
        )
        self.log_dropped = self._gauge(
            "log_dropped_lines",
            "Lines of the log that were dropped, as nobody took them, since the start.",
        )
