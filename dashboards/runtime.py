"""The lower half of the dashboard Intake: engine, ledger and process."""

from __future__ import annotations

from dashboards.panels import Panel, TableColumn, lines, rows
from dashboards.promql import RECENT, of, of_routers, per_minute, quantile


def engine() -> list[Panel]:
    """What deciding costs, and what recording it costs."""
    evaluation = "hubherald_evaluation_seconds"
    commit = "hubherald_ledger_transaction_seconds"
    return [
        lines(
            "Evaluation of a batch",
            "Time to evaluate the rules on one batch: half of them, and 95 of 100, at most this.",
            (quantile(0.5, evaluation), "p50"),
            (quantile(0.95, evaluation), "p95"),
            unit="s",
            no_value="nothing was evaluated",
        ),
        lines(
            "Engine troubles",
            "Evaluations a minute in which the second opinion differed, and times that the engine "
            "was made anew. 0 is good: each is worth the runbook.",
            (per_minute("hubherald_engine_mismatches_total"), "second opinion differed"),
            (per_minute("hubherald_engine_rebuilds_total"), "engine rebuilt"),
            unit="cpm",
            no_value="no router",
        ),
        lines(
            "Time of a transaction (p95)",
            "How long the ledger takes to commit, by part. It is the disk that says how fast: "
            "above 50 ms everything becomes slow.",
            (quantile(0.95, commit, "part"), "{{part}}"),
            unit="s",
            limit=((None, "green"), (0.05, "orange")),
            no_value="nothing was committed",
        ),
        lines(
            "Size of the ledger",
            "The database, and the log that SQLite keeps beside it (a log that only grows tells "
            "of a reader that never ends).",
            (f"max by (part) ({of('hubherald_ledger_size_bytes')})", "{{part}}"),
            unit="bytes",
            no_value="no router",
        ),
    ]


def process() -> list[Panel]:
    """The routers as processes."""
    lag = "hubherald_event_loop_lag_seconds"
    cpu = f"rate({of('process_cpu_seconds_total')}[{RECENT}])"
    limit = f"{of('process_open_fds')} / {of('process_max_fds')}"
    version = f"max by (instance, version, python) ({of('hubherald_build_info')})"
    started = f"max by (instance) ({of('process_start_time_seconds')})"
    return [
        lines(
            "Event-loop lag",
            "How late the process wakes up: 50 of 100 times, and 99, at most this. Above 100 ms "
            "it has more to do than one core can.",
            (quantile(0.5, lag, "instance"), "{{instance}} p50"),
            (quantile(0.99, lag, "instance"), "{{instance}} p99"),
            unit="s",
            width=8,
            limit=((None, "green"), (0.1, "orange")),
            no_value="no router",
        ),
        lines(
            "CPU",
            "100 % is one core.",
            (of_routers(cpu), "{{instance}}"),
            unit="percentunit",
            width=8,
            no_value="no router",
        ),
        lines(
            "Memory",
            "Resident memory of the process. It rises with the largest batches and then stays.",
            (of_routers(of("process_resident_memory_bytes")), "{{instance}}"),
            unit="bytes",
            width=8,
            no_value="no router",
        ),
        lines(
            "File descriptors",
            "The share in use of those that the process may open. At 100 % it can neither "
            "connect nor write.",
            (of_routers(limit), "{{instance}}"),
            unit="percentunit",
            width=8,
            limit=((None, "green"), (0.8, "orange")),
            no_value="no router",
        ),
        lines(
            "Dropped lines of the log",
            "Since the start. What reads standard error was too slow or stood still, and the "
            "router did not wait for it; the log says where lines are missing. 0 is good.",
            (of_routers(of("hubherald_log_dropped_lines")), "{{instance}}"),
            unit="locale",
            width=8,
            limit=((None, "green"), (1, "orange")),
            no_value="no router",
        ),
        rows(
            "Routers",
            "What runs, and since when.",
            {"instance": "Router", "version": "Version", "python": "Python"},
            TableColumn(
                name="Started",
                expr=f"1000 * {version} * on (instance) group_left () {started}",
                unit="dateTimeAsIso",
                decimals=None,
            ),
            no_value="no router",
            width=8,
        ),
    ]
