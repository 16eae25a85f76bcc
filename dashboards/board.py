"""What all dashboards share: their frame, variables, links and the marks of reloads."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.panels import DATASOURCE, TAG, Panel
from dashboards.promql import RECENT, of

RUNBOOK = "/public/hubherald/RUNBOOK.md"
"""Where Grafana itself serves dashboards/RUNBOOK.md, as compose.yaml mounts it."""

Section = tuple[str, Sequence[Panel]]
"""A heading, or none, and its panels from left to right and line by line."""


class Annotation(model.AnnotationQuery, Builder[model.AnnotationQuery]):
    """An annotation with the query and the text that Grafana's Prometheus data source reads."""

    def __init__(self, name: str, expr: str, *, text: str, color: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=color, built_in=None)
        self._expr = expr
        self._text = text

    def to_json(self) -> dict[str, object]:
        query = {"refId": "Anno", "expr": self._expr, "instant": False, "range": True}
        return super().to_json() | {
            "target": query,
            "titleFormat": self.name,
            "textFormat": self._text,
        }

    def build(self) -> Annotation:
        """Itself: it stands where the dashboard expects a builder."""
        return self


def board(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    variables: Sequence[dashboard.QueryVariable] = (),
) -> model.Dashboard:
    """A dashboard of these panels, with what all of them have."""
    made = (
        dashboard.Dashboard(f"Hubherald / {title}")
        .uid(f"{TAG}-{uid}")
        .description(description)
        .tags([TAG])
        .editable()
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables([_datasource(), *_routers(), *variables])
        .annotations(_reloads())
        .links(_links())
    )
    number = 0
    for heading, panels in sections:
        if heading:
            number += 1
            made = made.with_row(dashboard.Row(heading).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(panel.id(number))
    return made.build()


def choice(
    name: str, label: str, query: str, *, multi: bool = True, chosen: Sequence[str] = ()
) -> dashboard.QueryVariable:
    """A variable with the values of a label, asked for again when the time changes."""
    text, value = (list(chosen), list(chosen)) if chosen else (["All"], ["$__all"])
    current = (
        model.VariableOption(text=text, value=value)
        if multi
        else model.VariableOption(text=text[0], value=value[0])
    )
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(DATASOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi)
        .include_all(True)
        .all_value(".+")
        .current(current)
    )


def _datasource() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _routers() -> list[dashboard.QueryVariable]:
    jobs = "label_values(hubherald_build_info, job)"
    instances = 'label_values(hubherald_build_info{job=~"$job"}, instance)'
    return [choice("job", "Job", jobs), choice("instance", "Instance", instances)]


def _reloads() -> list[Builder[model.AnnotationQuery]]:
    """When rules changed, and while the files on disk are not what is live."""
    loaded = of("hubherald_rules_last_reload_success_timestamp_seconds")
    refused = of("hubherald_rules_last_reload_successful")
    return [
        Annotation(
            "Rules loaded",
            f"changes({loaded}[{RECENT}]) > 0",
            text="{{instance}} loaded its rules and users",
            color="blue",
        ),
        Annotation(
            "Reload refused",
            f"({refused} == 0) + 1",
            text="{{instance}} refused a reload: what was live before serves on",
            color="red",
        ),
    ]


def _links() -> list[Builder[model.DashboardLink]]:
    return [
        dashboard.DashboardLink("Hubherald")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True),
        dashboard.DashboardLink("Runbook")
        .type(model.DashboardLinkType.LINK)
        .icon("doc")
        .tooltip("What each alarm means, how to look and what to do")
        .url(RUNBOOK)
        .target_blank(True),
    ]
