"""Do the rules do what they were written for?"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import panels
from dashboards.board import board
from dashboards.panels import Panel, TableColumn, lines, number, rows
from dashboards.promql import increase, of, rate

BY_RULE = "hubherald_rule_decisions_total"
LOADED = "hubherald_rules_last_reload_success_timestamp_seconds"


def rules() -> Dashboard:
    """Which rules fire, what they suppress, and which of them are live."""
    return board(
        "rules",
        "Rules",
        "Which rules fire, which never did, what was suppressed and why, and what is live.",
        [("", [*_state(), *_firing()]), ("Decisions", _decisions()), ("Live", _live())],
    )


def _state() -> list[Panel]:
    never = f"sum({increase(BY_RULE, 'rule')} == bool 0)"
    digests = f"count(count by (digest) ({of('hubherald_rules_live_info')}))"
    return [
        number(
            "Rules never fired",
            "Live rules that decided nothing in the time shown. That may be right, for a rule on a "
            "rare case; choose some days before you judge.",
            never,
            steps=panels.FEW_ARE_GOOD,
        ),
        number("Rules live", "How many rules are live.", f"max({of('hubherald_rules')})"),
        number(
            "Digests live",
            "Different sets of rules that are live now. More than one: routers decide by "
            "different rules. hubherald reload on the one that is behind.",
            digests,
            steps=((None, "green"), (2, "red")),
        ),
        number(
            "Last reload",
            "Refused: there are mistakes in rules or users on disk, and what was live before "
            "serves on. hubherald check shows them.",
            f"min({of('hubherald_rules_last_reload_successful')})",
            unit="none",
            steps=((None, "red"), (1, "green")),
            words={"1": ("accepted", "green"), "0": ("refused", "red")},
        ),
        number(
            "Live for",
            "How long ago the rules and users that are live were loaded last.",
            f"time() - max({of(LOADED)})",
            unit="dtdurations",
        ),
        number(
            "Second opinion differed",
            "Evaluations in the time shown in which the engine and its second opinion did not "
            "agree. Each is a bug: keep the log, and see the runbook.",
            increase("hubherald_engine_mismatches_total"),
            steps=panels.NONE_IS_GOOD,
        ),
    ]


def _firing() -> list[Panel]:
    suppressed = 'outcome="suppressed"'
    return [
        rows(
            "Rules",
            "Decisions by each live rule in the time shown. A rule with 0 never fired; – stands "
            "for what the rule does not do.",
            {"rule": "Rule"},
            TableColumn(
                name="Alerted",
                expr=increase(BY_RULE, "rule", 'outcome="alerted"'),
                steps=((None, "orange"), (0.5, "text")),
            ),
            TableColumn(
                name="Suppressed",
                expr=increase(BY_RULE, "rule", suppressed),
                steps=((None, "orange"), (0.5, "text")),
            ),
            no_value="no rule is live",
            width=8,
            order="Alerted",
        ),
        lines(
            "Alerted by rule",
            "Which rules make Alerts, over time.",
            (rate(BY_RULE, "rule", 'outcome="alerted"'), "{{rule}}"),
            unit="cps",
            stacked=True,
            width=8,
            no_value="no rule has alerted",
        ),
        lines(
            "Suppressed by rule",
            "Which rules keep Alerts back, over time: the rule is the reason.",
            (rate(BY_RULE, "rule", suppressed), "{{rule}}"),
            unit="cps",
            stacked=True,
            width=8,
            no_value="no rule has suppressed",
        ),
    ]


def _decisions() -> list[Panel]:
    decisions = "hubherald_decisions_total"
    return [
        lines(
            "Decisions by outcome",
            "alerted, suppressed by a rule, or why there was nobody to tell: no_rule (none "
            "matched), no_eligible_user (the company is no Service User in that role), "
            "no_recipient (nobody is registered for the hub), same_activation (decided before).",
            (rate(decisions, "outcome"), "{{outcome}}"),
            unit="cps",
            stacked=True,
            no_value="nothing was decided",
        ),
        rows(
            "Decisions by role",
            "Decisions in the time shown. The role is empty where the whole fact was decided: "
            "nobody is registered for the hub, or the activation was decided before.",
            {"role": "Role", "outcome": "Outcome"},
            TableColumn(name="Decisions", expr=increase(decisions, "role, outcome")),
            no_value="nothing was decided",
            width=12,
            order="Decisions",
        ),
    ]


def _live() -> list[Panel]:
    when = f"max by (instance) ({of(LOADED)})"
    live = f"max by (instance, digest) ({of('hubherald_rules_live_info')})"
    reloads = "hubherald_rules_reloads_total"
    return [
        rows(
            "Live rules",
            "The digest of the rules that each router decides by, and when it loaded them. "
            "Alerts and decisions in the ledger bear the same digest.",
            {"instance": "Router", "digest": "Digest"},
            TableColumn(
                name="Loaded",
                expr=f"1000 * {live} * on (instance) group_left () {when}",
                unit="dateTimeAsIso",
                decimals=None,
            ),
            no_value="no router",
            width=12,
        ),
        rows(
            "Reloads",
            "Reloads in the time shown, by who asked for them (http, SIGHUP, or a file that "
            "changed) and what became of them. Empty while nobody has asked since the start.",
            {"trigger": "Asked by", "outcome": "Outcome"},
            TableColumn(name="Reloads", expr=increase(reloads, "trigger, outcome")),
            no_value="no reload since the start",
            width=12,
        ),
    ]
