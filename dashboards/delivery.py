"""Do the adapters get through to the other side?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from dashboards.board import board
from dashboards.panels import Panel, TableColumn, lines, number, rows
from dashboards.promql import of, per_minute, quantile, rate, share, total

ATTEMPTS = "hubherald_delivery_attempts_total"
FAILURES = "hubherald_lane_consecutive_failures"
CERTIFICATE = "hubherald_certificate_expiry_timestamp_seconds"
LANE = "recipient, channel"
HEADINGS = {"recipient": "Recipient", "channel": "Channel"}


def delivery() -> Dashboard:
    """Attempts, lanes that fail or are closed, connections and certificates."""
    return board(
        "delivery",
        "Delivery adapters",
        "What is sent and what comes back, which lanes fail or are closed, and what will expire.",
        [
            ("", [*_state(), *_attempts()]),
            ("Lanes", [_failing(), _closed(), *_lanes()]),
            ("Connections and certificates", [_connections(), _certificates()]),
        ],
    )


def _state() -> list[Panel]:
    expiry = f"(min({of(CERTIFICATE)}) - time()) / 86400"
    return [
        number(
            "Success",
            "The share of answers in the time shown that were deliveries.",
            share(ATTEMPTS, 'outcome="delivered"'),
            unit="percentunit",
            decimals=1,
            steps=panels.RATIO,
            no_value="nothing sent",
        ),
        number(
            "Lanes failing",
            "Lanes whose last send was in vain: their oldest Alert is tried alone, less and less "
            "often, and a few others after it, until one comes through.",
            f"sum({of(FAILURES)} > bool 0)",
            steps=panels.FEW_ARE_GOOD,
        ),
        number(
            "Lanes closed",
            "Lanes that send nothing until somebody acts.",
            f"sum(1 - {of('hubherald_lane_open')})",
            steps=panels.FEW_ARE_GOOD,
        ),
        number("In flight now", "Alerts that are being sent.", total("hubherald_lane_in_flight")),
        number(
            "Connections lost",
            "Standing connections (of the adapter rabbitmq) that do not stand now.",
            f"sum(1 - {of('hubherald_lane_connected')})",
            steps=panels.FEW_ARE_GOOD,
            no_value="none used",
        ),
        number(
            "First to expire",
            "Days until the first certificate of ours expires. The table below names it.",
            expiry,
            unit="none",
            steps=panels.EXPIRY,
            no_value="none used",
        ),
    ]


def _attempts() -> list[Panel]:
    failed = rate(ATTEMPTS, "adapter, outcome, reason", 'outcome!="delivered"')
    send = "hubherald_delivery_send_seconds"
    return [
        lines(
            "Answers by adapter",
            "What became of what was sent, for each Alert.",
            (rate(ATTEMPTS, "adapter, outcome"), "{{adapter}} {{outcome}}"),
            unit="cps",
            stacked=True,
            width=8,
            no_value="nothing was sent",
        ),
        lines(
            "Failures by reason",
            "Answers that were no delivery: to be tried again (retry), refused for good, or the "
            "lane was closed. Empty is good.",
            (failed, "{{adapter}} {{outcome}} {{reason}}"),
            unit="cps",
            stacked=True,
            width=8,
            no_value="nothing has failed",
        ),
        lines(
            "Time of a send",
            "Until the other side answered or confirmed: half of the sends, and 95 of 100, at "
            "most this.",
            (quantile(0.5, send, "adapter"), "{{adapter}} p50"),
            (quantile(0.95, send, "adapter"), "{{adapter}} p95"),
            unit="s",
            width=8,
            no_value="nothing was sent",
        ),
    ]


def _failing() -> Panel:
    failures = f"max by ({LANE}) ({of(FAILURES)}) > 0"
    waiting = f"{total('hubherald_lane_waiting', LANE)} and on ({LANE}) ({failures})"
    return rows(
        "Failing lanes",
        "Lanes whose breaker is open: sends in vain since one came through, and what waits behind "
        "them. Empty is good. hubherald lanes list shows the last answer.",
        HEADINGS,
        TableColumn(name="Failures in a row", expr=failures),
        TableColumn(name="Waiting", expr=waiting),
        no_value="no lane is failing",
        width=12,
        order="Waiting",
    )


def _closed() -> Panel:
    closed = f"max by ({LANE}, reason) ({of('hubherald_lane_closed_info')})"
    held = total("hubherald_lane_held", LANE)
    return rows(
        "Closed lanes",
        "Lanes that send nothing, and why: suspended and user_removed (service_users.yaml says "
        "so), credentials and endpoint (mend the certificate or the address), operator "
        "(hubherald lanes resume), adapter_missing. Empty is good.",
        {**HEADINGS, "reason": "Closed by"},
        TableColumn(name="Held", expr=f"{closed} * on ({LANE}) group_left () {held}"),
        no_value="every lane is open",
        width=12,
        order="Held",
    )


def _lanes() -> list[Panel]:
    return [
        lines(
            "In flight by channel",
            "Alerts that are being sent. A channel that stays at its window is as "
            "fast as the other side lets it be.",
            (total("hubherald_lane_in_flight", "channel"), "{{channel}}"),
            unit="short",
            stacked=True,
            no_value="there is no lane",
        ),
        lines(
            "Given up",
            "Alerts a minute that were parked (refused, or held too long), or withdrawn (taken "
            "back, or the user is no longer responsible for the hub). Empty is good.",
            (per_minute("hubherald_alerts_parked_total", "channel"), "{{channel}} parked"),
            (per_minute("hubherald_alerts_withdrawn_total", "channel"), "{{channel}} withdrawn"),
            unit="cpm",
            no_value="nothing was given up",
        ),
    ]


def _connections() -> Panel:
    return rows(
        "Standing connections",
        "Lanes that keep a connection (those of the adapter rabbitmq), whether it stands, and how "
        "many were made since the start: a number that grows tells of a connection that is lost "
        "again and again. Other adapters connect for each send and are not here.",
        HEADINGS,
        TableColumn(
            name="Connected",
            expr=f"min by ({LANE}) ({of('hubherald_lane_connected')})",
            unit="bool_yes_no",
            decimals=None,
            steps=((None, "red"), (1, "green")),
        ),
        TableColumn(name="Made", expr=f"max by ({LANE}) ({of('hubherald_lane_connections')})"),
        no_value="no adapter keeps a connection",
        width=12,
    )


def _certificates() -> Panel:
    left = f"(min by ({LANE}, use) ({of(CERTIFICATE)}) - time()) / 86400"
    return rows(
        "Certificates",
        "Days until each certificate of ours expires. The DCC's own signing certificate has no "
        "recipient. A file that can't be read has no row: hubherald check tells.",
        {**HEADINGS, "use": "Used for"},
        TableColumn(name="Days left", expr=left, unit="none", steps=panels.EXPIRY),
        no_value="no certificate is used",
        width=12,
    )
