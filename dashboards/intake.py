"""Do facts come in and get decided, and does the process have what it needs?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from dashboards.board import board, choice
from dashboards.panels import Panel, TableColumn, lines, number, rows
from dashboards.promql import (
    BROKER,
    QUEUE,
    SHOWN,
    increase,
    mean,
    of,
    per_minute,
    quantile,
    rate,
    total,
)
from dashboards.runtime import engine, process

READY = "rabbitmq_queue_messages_ready"
NO_BROKER = "no RabbitMQ: is its job chosen, and /metrics/per-object scraped?"
FACTS = ("hubherald.facts", "hubherald.facts.rejected")


def intake() -> Dashboard:
    """From the broker's queue to the ledger, and the process that does it."""
    broker = choice("broker", "Broker job", f"label_values({READY}, job)")
    queue = choice(
        "queue", "Queue", f"label_values({of(READY, scope=BROKER)}, queue)", chosen=FACTS
    )
    return board(
        "intake",
        "Intake and runtime",
        "Facts from the queue to the decision, the ledger, the process, and RabbitMQ's own view.",
        [
            ("", [*_state(), *_facts()]),
            ("Sources and RabbitMQ", [_sources(), *_broker()]),
            ("Engine and ledger", engine()),
            ("Process", process()),
        ],
        variables=[broker, queue],
    )


def _state() -> list[Panel]:
    return [
        number(
            "Sources down",
            "Sources that bring no facts: not connected, or not consuming.",
            f"sum(1 - {of('hubherald_intake_up')})",
            steps=panels.NONE_IS_GOOD,
        ),
        number(
            "In the queue",
            "Facts that wait in RabbitMQ's queue, or were handed out and not acknowledged. "
            "It grows while the intake stands still or is too slow.",
            f"sum({of('rabbitmq_queue_messages', scope=QUEUE)})",
            no_value="no RabbitMQ",
        ),
        number(
            "Publish to decision",
            "95 of 100 facts were decided at most this long after their sender made them.",
            quantile(0.95, "hubherald_publish_lag_seconds", over=SHOWN),
            unit="s",
            decimals=1,
            no_value="no fact",
        ),
        number(
            "In quarantine",
            "Facts that could not be used and wait for you: hubherald quarantine list.",
            total("hubherald_quarantine_waiting"),
            steps=panels.FEW_ARE_GOOD,
        ),
        number(
            "Ledger",
            "Whether the ledger takes transactions. Without it nothing is taken in and nothing "
            "is sent; facts wait in the queue.",
            f"min({of('hubherald_ledger_up')})",
            unit="none",
            steps=((None, "red"), (1, "green")),
            words={"1": ("up", "green"), "0": ("down", "red")},
        ),
        number(
            "Routers seen", "Routers that Prometheus sees.", f"count({of('hubherald_build_info')})"
        ),
    ]


def _facts() -> list[Panel]:
    return [
        lines(
            "Facts",
            "Facts a second, by type and by what they did: decided (an activation), applied (to "
            "the inventory), stale (the inventory knew something newer).",
            (rate("hubherald_facts_total", "type, effect"), "{{type}} {{effect}}"),
            unit="cps",
            stacked=True,
            width=8,
            no_value="no fact was recorded",
        ),
        lines(
            "Not used, or doubtful",
            "Facts a minute that were there already, were given out by the source once more, or "
            "went into quarantine. Duplicates are harmless; so are some redelivered ones. "
            "Registrations with wrong check digits are used, and belong to be looked at.",
            (per_minute("hubherald_facts_duplicate_total"), "duplicate"),
            (per_minute("hubherald_intake_redelivered_messages_total"), "redelivered"),
            (per_minute("hubherald_facts_quarantined_total", "reason"), "quarantined {{reason}}"),
            (per_minute("hubherald_facts_wrong_check_digits_total"), "used, wrong check digits"),
            unit="cpm",
            width=8,
            no_value="every fact was used",
        ),
        lines(
            "Quarantine",
            "Facts that wait in quarantine, by reason. Those of an unknown hub leave by "
            "themselves when the hub arrives.",
            (total("hubherald_quarantine_waiting", "reason"), "{{reason}}"),
            unit="short",
            stacked=True,
            width=8,
            no_value="no router",
        ),
        lines(
            "Time until decided (p95)",
            "95 of 100 facts were decided at most this long after the hub activated, or after "
            "the sender made the fact.",
            (quantile(0.95, "hubherald_activation_lag_seconds", "source"), "{{source}} activation"),
            (quantile(0.95, "hubherald_publish_lag_seconds", "source"), "{{source}} publish"),
            unit="s",
            no_value="nothing was decided",
        ),
        lines(
            "Messages in a batch",
            "What is committed together. It grows by itself with the load: large batches are a "
            "sign of much work, not of trouble.",
            (mean("hubherald_intake_batch_messages"), "mean"),
            (quantile(0.95, "hubherald_intake_batch_messages"), "p95"),
            unit="short",
            no_value="no message came",
        ),
    ]


def _sources() -> Panel:
    source = "source"
    return rows(
        "Sources",
        "Whether facts can come from each source, and the messages in the time shown. RabbitMQ: "
        "whether its connection stands, how many were made since the start. Folders: what lies "
        "there and is not read (hubherald check names it), files replaced since the start.",
        {source: "Source"},
        TableColumn(
            name="Up",
            expr=f"min by (source) ({of('hubherald_intake_up')})",
            unit="bool_yes_no",
            decimals=None,
            steps=((None, "red"), (1, "green")),
        ),
        TableColumn(
            name="Connected",
            expr=f"min by (source) ({of('hubherald_intake_connected')})",
            unit="bool_yes_no",
            decimals=None,
            steps=((None, "red"), (1, "green")),
        ),
        TableColumn(name="Made", expr=f"max by (source) ({of('hubherald_intake_connections')})"),
        TableColumn(
            name="Not read",
            expr=f"max by (source) ({of('hubherald_intake_ignored_files')})",
            steps=panels.NONE_IS_GOOD,
        ),
        TableColumn(
            name="Replaced", expr=f"max by (source) ({of('hubherald_intake_replaced_files')})"
        ),
        TableColumn(name="Messages", expr=increase("hubherald_intake_messages_total", source)),
        no_value="no router",
        width=12,
    )


def _broker() -> list[Panel]:
    def queue(metric: str) -> str:
        return f"sum by (queue) ({of(metric, scope=QUEUE)})"

    def share(part: str, whole: str) -> str:
        used, limit = (f"sum by (instance) ({of(each, scope=BROKER)})" for each in (part, whole))
        return f"{used} / ({limit} > 0)"

    memory = share("rabbitmq_process_resident_memory_bytes", "rabbitmq_resident_memory_limit_bytes")
    disk = share("rabbitmq_disk_space_available_limit_bytes", "rabbitmq_disk_space_available_bytes")
    return [
        lines(
            "Queues",
            "RabbitMQ's own count: messages that are ready, and that were handed out and not "
            "acknowledged. What lies in the queue of rejected ones was given up by the broker.",
            (queue(READY), "{{queue}} ready"),
            (queue("rabbitmq_queue_messages_unacked"), "{{queue}} unacknowledged"),
            unit="short",
            no_value=NO_BROKER,
        ),
        lines(
            "Consumers",
            "Consumers that RabbitMQ counts. The queue of facts needs one; the queue of rejected "
            "ones has none.",
            (queue("rabbitmq_queue_consumers"), "{{queue}}"),
            unit="short",
            no_value=NO_BROKER,
        ),
        lines(
            "RabbitMQ's limits",
            "At 100 % of its memory, or when as little disk is free as it must have, a node takes "
            "nothing from whoever publishes: no facts, and no Alert on the adapter rabbitmq.",
            (memory, "{{instance}} memory"),
            (disk, "{{instance}} disk"),
            unit="percentunit",
            limit=((None, "green"), (0.8, "orange"), (1, "red")),
            no_value=NO_BROKER,
        ),
    ]
