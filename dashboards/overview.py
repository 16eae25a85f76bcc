"""Is everyone being told, and how does the roll-out go?"""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from dashboards.board import RUNBOOK, board
from dashboards.panels import Panel, TableColumn, address, leading, lines, number, rows
from dashboards.promql import (
    age,
    increase,
    of,
    of_routers,
    per_minute,
    quantile,
    rate,
    total,
)

VERSION = "firmware_version"
MORE = ("recipients", "recipients", "recipients", "delivery", "intake", "intake")
"""The dashboards that say more of each number."""
OLDEST = "hubherald_lane_oldest_decided_timestamp_seconds"


def overview() -> Dashboard:
    """The first to look at, in the night and during a campaign."""
    return board(
        "overview",
        "Overview",
        "Is everyone being told? And a firmware roll-out at a glance.",
        [
            ("", [*map(leading, MORE, _state()), *_flow(), _alarms(), _routers()]),
            ("Firmware roll-out", [_versions(), *_over_time()]),
        ],
    )


def _state() -> list[stat.Panel]:
    return [
        number(
            "Not yet told",
            "Alerts that are recorded and not delivered: waiting on open lanes, or held on closed "
            "ones. It moves with every roll-out; what matters is that it comes down again.",
            f"{total('hubherald_lane_waiting')} + {total('hubherald_lane_held')}",
        ),
        number(
            "Oldest not told",
            "How long ago the oldest Alert that is not delivered was decided. 0 when everyone has "
            "been told. The dashboard Recipients shows whose it is.",
            age(OLDEST),
            unit="s",
            steps=panels.LATE,
        ),
        number(
            "Parked",
            "Alerts that were given up and wait for you. Once the reason is gone: "
            "hubherald alerts retry.",
            total("hubherald_lane_parked"),
            steps=panels.NONE_IS_GOOD,
        ),
        number(
            "Lanes closed",
            "Lanes that send nothing until somebody acts: a user is suspended, a certificate or "
            "an address is wrong, or an operator paused them. Delivery adapters says why.",
            f"sum(1 - {of('hubherald_lane_open')})",
            steps=panels.FEW_ARE_GOOD,
        ),
        number(
            "In quarantine",
            "Facts that could not be used: nobody is told of them. See hubherald quarantine list.",
            total("hubherald_quarantine_waiting"),
            steps=panels.FEW_ARE_GOOD,
        ),
        number(
            "Intake",
            "Whether facts come in from every source.",
            f"min({of('hubherald_intake_up')})",
            unit="none",
            steps=((None, "red"), (1, "green")),
            words={"1": ("up", "green"), "0": ("down", "red")},
        ),
    ]


def _alarms() -> Panel:
    alarms = 'ALERTS{alertname=~"Hubherald.+"}'
    return rows(
        "Alarms",
        "What fires now; what is pending will, if it stays. The runbook has a page for each.",
        {
            "alertname": "Alarm",
            "alertstate": "State",
            "severity": "Severity",
            "recipient": "Recipient",
            "instance": "Router",
        },
        TableColumn(
            name="Series",
            expr=f"sum by (alertname, alertstate, severity, recipient, instance) ({alarms})",
        ),
        no_value="no alarm",
        width=16,
        links={
            "Alarm": ("What to do", RUNBOOK),
            "Recipient": (
                "This recipient",
                address("recipients", "&var-recipient=${__value.text}"),
            ),
        },
    )


def _routers() -> Panel:
    return rows(
        "Routers",
        "A name leads to the router's status page, if your browser reaches what Prometheus does.",
        {"instance": "Router"},
        TableColumn(name="Facts", expr=increase("hubherald_facts_total", "instance")),
        TableColumn(
            name="Running since",
            expr=f"1000 * max by (instance) ({of_routers(of('process_start_time_seconds'))})",
            unit="dateTimeAsIso",
        ),
        no_value="no router",
        width=8,
        links={"Router": ("Its status page", "http://${__value.text}/")},
    )


def _flow() -> list[Panel]:
    delivered = rate("hubherald_delivery_attempts_total", where='outcome="delivered"')
    late = "hubherald_alert_delivery_seconds"
    return [
        lines(
            "Alerts recorded and delivered",
            "Both lines lie on each other while everyone is told at once. An Alert that goes over "
            "two channels is delivered twice.",
            (rate("hubherald_alerts_total"), "recorded"),
            (delivered, "delivered"),
            unit="cps",
            no_value="no Alert was recorded or delivered",
        ),
        lines(
            "Time until told (p95)",
            "95 of 100 Alerts took at most this long to be delivered: since the hub activated, "
            "since the fact came in, since it was decided. The last is the router's own.",
            (quantile(0.95, late, "since"), "since {{since}}"),
            unit="s",
            no_value="nothing was delivered",
        ),
    ]


def _versions() -> Panel:
    activations = "hubherald_rollout_ledger_activations"
    succeeded = total(activations, VERSION, 'outcome="success"')
    failed = total(activations, VERSION, 'outcome="failure"')
    return rows(
        "Roll-out by version",
        "As the ledger has them in all, for the busiest 20 versions, and for all others together; "
        "empty for a moment after a start, while it is counted. A high share of failures is a "
        "reason to halt the roll-out. hubherald rollout VERSION has the hubs, and who was told.",
        {VERSION: "Version"},
        TableColumn(name="Activated", expr=succeeded),
        TableColumn(name="Failed", expr=failed),
        TableColumn(
            name="Failure share",
            expr=f"{failed} / ({total(activations, VERSION)} > 0)",
            unit="percentunit",
            decimals=1,
            steps=((None, "green"), (0.02, "orange"), (0.05, "red")),
        ),
        TableColumn(name="Alerts", expr=total("hubherald_rollout_ledger_alerts", VERSION)),
        TableColumn(
            name="Delivered", expr=total("hubherald_rollout_ledger_alerts_delivered", VERSION)
        ),
        TableColumn(
            name="Outstanding", expr=total("hubherald_rollout_alerts_outstanding", VERSION)
        ),
        no_value="no activation yet",
        order="Activated",
    )


def _over_time() -> list[Panel]:
    activations = "hubherald_rollout_activations_total"
    succeeded = per_minute(activations, VERSION, 'outcome="success"')
    failed = per_minute(activations, VERSION, 'outcome="failure"')
    told = per_minute("hubherald_rollout_alerts_delivered_total", VERSION)
    outstanding = total("hubherald_rollout_alerts_outstanding", VERSION)
    legend = f"{{{{{VERSION}}}}}"
    return [
        lines(
            "Successful activations",
            "Hubs a minute that now run the version.",
            (succeeded, legend),
            unit="cpm",
            stacked=True,
            no_value="no hub activated firmware",
        ),
        lines(
            "Failed activations",
            "Hubs a minute that tried the version in vain. Empty is good.",
            (failed, legend),
            unit="cpm",
            stacked=True,
            no_value="no activation failed",
        ),
        lines(
            "Told",
            "Alerts a minute that were delivered for activations of the version.",
            (told, legend),
            unit="cpm",
            stacked=True,
            no_value="nothing was delivered",
        ),
        lines(
            "Outstanding",
            "Alerts for activations of the version that are waiting or held.",
            (outstanding, legend),
            unit="short",
            stacked=True,
            no_value="nothing is outstanding",
        ),
    ]
