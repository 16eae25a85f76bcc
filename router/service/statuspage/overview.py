"""The front page: whether everything is well, and what runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import htpy as h

from router.domain.words import QuarantineReason
from router.files.counts import plural
from router.language.rules import Rule
from router.ledger.queries.lanes import LaneState
from router.ledger.queries.overview import Overview
from router.service.attention import (
    FAILING,
    Attention,
    StatusLine,
    of_alerts,
    of_intake,
    of_lanes,
)
from router.service.statuspage.actions import latest
from router.service.statuspage.campaigns import rollouts, waiting_facts
from router.service.statuspage.layout import ago, banner, clean, facts, table, to_the_second, who
from router.service.statuspage.state import RouterState, SourceState

MOST = 200
"""Rows in a table; who has more looks at dashboards, or asks for one Service User."""
MOST_PROBLEMS = 20
"""Of a refused reload."""
_PARKED = (" given up: ", h.code["hubherald alerts list --state parked"])
LANE_HEADS = ("Service User", "Channel", "Waiting", "Oldest waiting", "Parked", "State")


def front_page(state: RouterState, seen: Overview | None, trouble: str | None) -> h.Node:
    """`trouble` says why the ledger can't be read."""
    return [
        h.h1["Status"],
        _ready(state),
        banner("bad", "The ledger could not be read", h.p[clean(trouble)]) if trouble else None,
        _attention(state, seen) if seen else None,
        _intake(state, seen),
        _lanes(state, seen) if seen else None,
        waiting_facts(seen) if seen else None,
        rollouts(state.rollouts),
        _rules(state),
        latest(seen.actions, state.names) if seen else None,
    ]


def _ready(state: RouterState) -> h.Node:
    if state.not_ready is None:
        return banner("good", "Ready: facts are taken")
    reasons = h.ul[(h.li[clean(line)] for line in state.not_ready.splitlines())]
    return banner("bad", "Not ready: facts, or some of them, can't come", reasons)


def _attention(state: RouterState, seen: Overview) -> h.Node:
    """What needs a person, with the alarm that rings for it."""
    lines = [
        *of_intake(seen, state.now),
        *of_lanes(seen, state.names, state.now),
        *of_alerts(seen, state.now),
    ]
    acts = [each for each in lines if each.state is Attention.ACT]
    if not acts:
        return None
    return banner("bad", "Needs a person", h.ul[(h.li[_line(each)] for each in acts)])


def _line(each: StatusLine) -> h.Node:
    alarm = [" (alarm ", h.code[each.alarm], ")"] if each.alarm else None
    return [f"{each.part}: {clean(each.detail)}", alarm]


# --- intake ---------------------------------------------------------------------------------


def _intake(state: RouterState, seen: Overview | None) -> h.Node:
    rows = [
        (
            source.name,
            f"{source.adapter} ({clean(source.peer)})" if source.peer else source.adapter,
            _source(source),
            "-" if source.made is None else source.made,
        )
        for source in state.sources
    ]
    heads = ("Source", "Adapter", "State", "Connections made")
    return h.section(aria_labelledby="intake")[
        h.h2(id="intake")["Intake"],
        facts(
            [
                ("Last fact", ago(seen.last_fact, state.now)),
                ("Quarantine", _quarantine(seen.quarantined)),
            ]
        )
        if seen
        else None,
        table("Sources of facts", heads, rows),
    ]


def _source(source: SourceState) -> h.Node:
    if source.down is not None:
        return [h.span(".bad")["down"], f": {clean(source.down)}"]
    if source.standby:
        return [h.span(".good")["standby"], f": {clean(source.standby)}"]
    return h.span(".good")["up"]


def _quarantine(waiting: Mapping[str, int]) -> h.Node:
    if not waiting:
        return h.span(".good")["empty"]
    by_reason = ", ".join(f"{count:,} {reason}" for reason, count in sorted(waiting.items()))
    total = plural(sum(waiting.values()), "fact")
    only_early = waiting.keys() <= {QuarantineReason.UNKNOWN_HUB, QuarantineReason.NO_REGISTRATION}
    return [
        h.span(class_="wait" if only_early else "bad")[f"{total} waiting"],
        f" ({by_reason}): ",
        h.code["hubherald quarantine list"],
    ]


# --- lanes ----------------------------------------------------------------------------------


def _lanes(state: RouterState, seen: Overview) -> h.Node:
    lanes = sorted(seen.lanes, key=_urgency)
    more = len(lanes) - MOST
    closed = sum(lane.state == "closed" for lane in lanes)
    failing = sum(lane.state == "open" and lane.failures > 0 for lane in lanes)
    held = sum(lane.waiting for lane in lanes if lane.state == "closed")
    waiting = sum(lane.waiting for lane in lanes) - held
    parked = sum(seen.parked.values())
    return h.section(aria_labelledby="lanes")[
        h.h2(id="lanes")["Lanes"],
        facts(
            [
                (
                    "Lanes",
                    [
                        f"{len(lanes) - closed:,} open, ",
                        [_some(failing, "of them failing", "wait"), ", "] if failing else None,
                        _some(closed, "closed"),
                    ],
                ),
                ("Waiting Alerts", f"{waiting:,}"),
                ("Held Alerts", _some(held, "on closed lanes", "wait")),
                ("Parked Alerts", [_some(parked), *_PARKED] if parked else "0"),
            ]
        ),
        lane_table("Lanes, the most urgent first", lanes[:MOST], state, seen.parked),
        h.p[f"{more:,} more: hubherald lanes list"] if more > 0 else None,
    ]


def lane_table(
    caption: str,
    lanes: Sequence[LaneState],
    state: RouterState,
    parked: Mapping[tuple[str, str], int],
) -> h.Node:
    """Lanes as rows."""
    return table(caption, LANE_HEADS, (_lane(lane, state, parked) for lane in lanes))


def _urgency(lane: LaneState) -> tuple[int, float, str, str]:
    """Closed ones first, then those that fail, then where somebody has waited longest."""
    oldest = lane.oldest.timestamp() if lane.oldest else float("inf")
    calm = 2 if not lane.failures else 1
    return (calm if lane.state == "open" else 0, oldest, lane.service_user_id, lane.channel)


def _lane(
    lane: LaneState, state: RouterState, parked: Mapping[tuple[str, str], int]
) -> Sequence[h.Node]:
    gone = parked.get((lane.service_user_id, lane.channel), 0)
    return (
        who(lane.service_user_id, state.names),
        lane.channel if lane.channel == lane.adapter else f"{lane.channel} ({lane.adapter})",
        f"{lane.waiting:,}",
        ago(lane.oldest, state.now),
        _some(gone),
        [_standing(lane), h.br, _answer(lane)],
    )


def _standing(lane: LaneState) -> h.Node:
    if lane.state == "open" and lane.failures:
        kind = "bad" if lane.failures >= FAILING else "wait"
        again = [", next try ", to_the_second(lane.next_try)] if lane.next_try else None
        return [h.span(class_=kind)["open, failing"], f": {lane.failures:,} in a row", again]
    if lane.state == "open":
        return h.span(".good")["open"]
    reason = (lane.reason or "").replace("_", " ")
    detail = f": {clean(lane.detail)}" if lane.detail else ""
    end = [", until ", to_the_second(lane.until)] if lane.until else None
    return [h.span(".bad")["closed"], f", {reason}{detail}, since ", to_the_second(lane.since), end]


def _answer(lane: LaneState) -> h.Node:
    """What the other side last said; not again what closed the lane."""
    said = lane.last_answer
    if not said or (lane.detail and lane.detail in said):
        return None
    return ["Last answer ", to_the_second(lane.last_answer_at), f": {clean(said)}"]


def _some(count: int, what: str = "", kind: str = "bad") -> h.Node:
    """A number that should be 0."""
    return [h.span(class_=kind)[f"{count:,}"] if count else "0", f" {what}" if what else None]


# --- rules ----------------------------------------------------------------------------------


def _rules(state: RouterState) -> h.Node:
    config, refused = state.config, state.refused
    rules = config.rules.rules
    more = len(rules) - MOST
    return h.section(aria_labelledby="rules")[
        h.h2(id="rules")["Rules"],
        banner(
            "bad",
            "The last reload was refused: what is below serves on",
            [
                h.p["By ", refused.trigger, " ", ago(refused.at, state.now)],
                h.ul[(h.li[h.code[clean(each)]] for each in refused.problems[:MOST_PROBLEMS])],
                h.p["All of them: ", h.code["hubherald check"]],
            ],
        )
        if refused
        else None,
        facts(
            [
                ("Live since", ago(state.since, state.now)),
                ("Rules", [f"{len(rules):,}, digest ", h.code[config.rules.digest]]),
                (
                    "Service Users",
                    [f"{len(config.users.by_id):,}, digest ", h.code[config.users.digest]],
                ),
            ]
        ),
        table(
            "Rules that are live",
            ("Rule", "Does", "Description", "Stands"),
            map(_rule, rules[:MOST]),
        ),
        h.p[f"{more:,} more in {config.rules_folder}"] if more > 0 else None,
    ]


def _rule(rule: Rule) -> Sequence[h.Node]:
    does = f"Alert {rule.alert}" if rule.alert else f"suppress: {rule.suppress}"
    place = rule.location
    return (h.code[rule.name], does, clean(rule.description), f"{place.file.name}:{place.line}")
