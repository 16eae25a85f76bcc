"""How is each Service User served?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from dashboards.board import board, choice
from dashboards.panels import Panel, TableColumn, address, lines, rows
from dashboards.promql import SHOWN, age, increase, of, quantile, rate, share, total

OLDEST = "hubherald_lane_oldest_decided_timestamp_seconds"
ATTEMPTS = "hubherald_delivery_attempts_total"
DELIVERY = "hubherald_alert_delivery_seconds"
ONE = 'recipient=~"$recipient"'
SELF = address("recipients", "&var-recipient=${__value.text}")


def recipients() -> Dashboard:
    """One row for each Service User; below, the one that is chosen."""
    chosen = choice(
        "recipient",
        "Recipient",
        f"label_values({of('hubherald_lane_open')}, recipient)",
        multi=False,
    )
    return board(
        "recipients",
        "Recipients",
        "How is each Service User served? A click on one shows it alone below.",
        [("", [_everyone()]), ("Recipient: $recipient", [*_flow(), *_lanes()])],
        variables=[chosen],
    )


def _everyone() -> Panel:
    who = "recipient"
    return rows(
        "Service Users",
        "Waiting, held, oldest and parked are now; the others are of the time shown. Held Alerts "
        "wait for a closed lane, parked ones for you. Latency is from decision to delivery. A "
        "user who was sent nothing has no success and no latency.",
        {who: "Recipient"},
        TableColumn(name="Waiting", expr=total("hubherald_lane_waiting", who)),
        TableColumn(name="Held", expr=total("hubherald_lane_held", who), steps=panels.FEW_ARE_GOOD),
        TableColumn(name="Oldest", expr=age(OLDEST, who), unit="s", steps=panels.LATE),
        TableColumn(
            name="Parked", expr=total("hubherald_lane_parked", who), steps=panels.NONE_IS_GOOD
        ),
        TableColumn(name="Alerts", expr=increase("hubherald_alerts_total", who), no_value="0"),
        TableColumn(
            name="Success",
            expr=share(ATTEMPTS, 'outcome="delivered"', who),
            unit="percentunit",
            decimals=1,
            steps=panels.RATIO,
        ),
        TableColumn(
            name="Latency p95",
            expr=quantile(0.95, DELIVERY, who, 'since="decision"', over=SHOWN),
            unit="s",
            decimals=1,
        ),
        no_value="no Service User has a lane",
        height=11,
        order="Oldest",
        links={"Recipient": ("Show this recipient below", SELF)},
    )


def _flow() -> list[Panel]:
    return [
        lines(
            "Not yet told",
            "Alerts that wait on open lanes, that closed lanes hold, and that were parked.",
            (total("hubherald_lane_waiting", where=ONE), "waiting"),
            (total("hubherald_lane_held", where=ONE), "held"),
            (total("hubherald_lane_parked", where=ONE), "parked"),
            unit="short",
            no_value="this recipient has no lane",
        ),
        lines(
            "Answers",
            "What became of what was sent, for each Alert: delivered, to be tried again (retry), "
            "refused for good, or the lane was closed over it.",
            (rate(ATTEMPTS, "outcome, reason", ONE), "{{outcome}} {{reason}}"),
            unit="cps",
            stacked=True,
            no_value="nothing was sent",
        ),
        lines(
            "Oldest not told",
            "How long ago the oldest Alert that is not delivered was decided. 0 when all are. "
            "After 48 hours, unless you chose another time, Alerts are parked.",
            (age(OLDEST, "channel", ONE), "{{channel}}"),
            unit="s",
            limit=panels.LATE,
            no_value="this recipient has no lane",
        ),
        lines(
            "Time from decision to delivery",
            "How long Alerts took that were delivered: half of them, and 95 of 100, at most this.",
            (quantile(0.5, DELIVERY, where=f'since="decision", {ONE}'), "p50"),
            (quantile(0.95, DELIVERY, where=f'since="decision", {ONE}'), "p95"),
            unit="s",
            no_value="nothing was delivered",
        ),
    ]


def _lanes() -> list[Panel]:
    failures = f"max by (channel) ({of('hubherald_lane_consecutive_failures', ONE)})"
    closed = f"max by (recipient, channel, reason) ({of('hubherald_lane_closed_info', ONE)})"
    held = total("hubherald_lane_held", "recipient, channel", ONE)
    return [
        lines(
            "Failures in a row",
            "Times that the oldest Alert failed since one came through. From 1 on one goes at a "
            "time: the oldest, and from 2 on a few others after it.",
            (failures, "{{channel}}"),
            unit="short",
            limit=panels.FEW_ARE_GOOD,
            no_value="this recipient has no lane",
        ),
        rows(
            "Closed lanes",
            "Lanes that send nothing until somebody acts, and why. Empty is good. What is held is "
            "sent once the lane is open again.",
            {"recipient": "Recipient", "channel": "Channel", "reason": "Closed by"},
            TableColumn(
                name="Held", expr=f"{closed} * on (recipient, channel) group_left () {held}"
            ),
            no_value="every lane is open",
            width=12,
        ),
    ]
