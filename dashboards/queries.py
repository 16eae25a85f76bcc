"""Every query of the dashboards, as a list: for whoever wants to ask them of a real Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

QueryKind = Literal["instant", "range", "annotation", "variable"]

WHOLE: Mapping[str, str] = {
    "job": ".+",
    "instance": ".+",
    "recipient": ".+",
    "broker": ".+",
    "queue": ".+",
    "__rate_interval": "1m",
    "__range": "1h",
}
"""Values of all variables with which the queries mean everything."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question that a dashboard asks."""

    dashboard: str
    """Its uid."""
    place: str
    """The title of the panel, or the name of the annotation or variable."""
    expr: str
    """PromQL with Grafana's variables; `label_values(selector, label)` where kind is variable."""
    kind: QueryKind


def queries_of(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of one dashboard, in the form that Grafana reads."""
    uid = dashboard["uid"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield Query(uid, variable["name"], variable["query"], "variable")
    for annotation in dashboard["annotations"]["list"]:
        yield Query(uid, annotation["name"], annotation["target"]["expr"], "annotation")
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            kind: QueryKind = "instant" if target.get("instant") else "range"
            yield Query(uid, panel["title"], target["expr"], kind)


def filled(expr: str, values: Mapping[str, str] = WHOLE) -> str:
    """The query with values for its variables; a variable without one raises KeyError."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expr)
