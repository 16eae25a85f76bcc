"""The three kinds of panels: a number, lines over time, a table with one row for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.promql import named_recipients

TAG = "hubherald"
DATASOURCE = model.DataSourceRef("prometheus", "${datasource}")

NAMES = "N"
"""The query for names: behind all columns."""

Panel = stat.Panel | timeseries.Panel | table.Panel
Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour holds."""

PLAIN: Steps = ((None, "text"),)
GREEN: Steps = ((None, "green"),)
NONE_IS_GOOD: Steps = ((None, "green"), (1, "red"))
FEW_ARE_GOOD: Steps = ((None, "green"), (1, "orange"))
LATE: Steps = ((None, "green"), (300, "orange"), (3600, "red"))
"""Seconds: a user who can't be reached is tried again within 300."""
RATIO: Steps = ((None, "red"), (0.95, "orange"), (0.999, "green"))
EXPIRY: Steps = ((None, "red"), (14, "orange"), (30, "green"))


def address(uid: str, more: str = "") -> str:
    """Where another dashboard is, with the routers and the time that are chosen here."""
    chosen = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    return f"/d/{TAG}-{uid}?{chosen}&${{__url_time_range}}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn:
    """One column of a table: a query with one value for each row."""

    name: str
    expr: str
    unit: str = "locale"
    decimals: int | None = 0
    steps: Steps | None = None
    no_value: str = "–"


def number(
    title: str,
    description: str,
    expr: str,
    *,
    unit: str = "locale",
    decimals: int | None = 0,
    steps: Steps = PLAIN,
    no_value: str = "no router",
    words: dict[str, tuple[str, str]] | None = None,
) -> stat.Panel:
    """One value as of now; `words` say what a value means, with a colour."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(_query("A", expr).instant())
        .unit(unit)
        .thresholds(_thresholds(steps))
        .no_value(no_value)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(look.BigValueColorMode.VALUE)
        .graph_mode(look.BigValueGraphMode.NONE)
        .span(4)
        .height(4)
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    if words:
        means = {
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(words.items())
        }
        panel = panel.mappings([model.ValueMap(options=means)])
    return panel


def leading(to: str, panel: stat.Panel) -> stat.Panel:
    """The panel, with a link to another dashboard, by the name that `address` takes."""
    return panel.links([dashboard.DashboardLink("More about it").url(address(to))])


def lines(
    title: str,
    description: str,
    *series: tuple[str, str],
    unit: str,
    no_value: str,
    width: int = 12,
    stacked: bool = False,
    limit: Steps | None = None,
) -> timeseries.Panel:
    """Pairs of a query and the legend of its lines."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .thresholds(_thresholds(limit or GREEN))
        .no_value(no_value)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(look.LegendDisplayMode.LIST)
            .placement(look.LegendPlacement.BOTTOM)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(look.TooltipDisplayMode.MULTI)
            .sort(look.SortOrder.DESCENDING)
        )
        .show_points(look.VisibilityMode.AUTO)
        .fill_opacity(30 if stacked else 8)
        .span(width)
        .height(8)
    )
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(look.StackingMode.NORMAL))
    if limit:
        dashed = look.GraphThresholdsStyleMode.DASHED
        panel = panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
    for letter, (expr, legend) in zip(ascii_uppercase, series, strict=False):
        panel = panel.with_target(_query(letter, expr).range().legend_format(legend))
    return panel


def rows(
    title: str,
    description: str,
    keys: dict[str, str],
    *columns: TableColumn,
    no_value: str,
    width: int = 24,
    height: int = 8,
    order: str | None = None,
    links: dict[str, tuple[str, str]] | None = None,
) -> table.Panel:
    """A row for each combination of the labels `keys` (label -> its heading).

    `order` is the column whose largest values stand first; `links` give a heading's cells the
    title and address of a link. Where rows are of recipients, their names stand there, too: asked
    for last, as Grafana joins a frame to all rows that are there by then.
    """
    named = "recipient" in keys
    if named:
        keys = {"recipient": keys["recipient"], "name": "Name", **keys}
    fields = [f"Value #{letter}" for letter, _ in zip(ascii_uppercase, columns, strict=False)]
    if len(columns) == 1 and not named:
        fields = ["Value"]  # as Grafana calls it when there is nothing to tell it from
    names = keys | dict(zip(fields, (column.name for column in columns), strict=True))
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("locale")
        .thresholds(_thresholds(PLAIN))
        .no_value(no_value)
        .with_transformation(model.DataTransformerConfig("merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True, **({f"Value #{NAMES}": True} if named else {})},
                    "indexByName": {field: place for place, field in enumerate(names)},
                    "renameByName": names,
                },
            )
        )
        .filterable(True)
        .span(width)
        .height(height)
    )
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        query = _query(letter, column.expr).instant().format(PromQueryFormat.TABLE)
        panel = panel.with_target(query)
        panel = panel.override_by_name(column.name, _cells(column))
    if named:
        query = _query(NAMES, named_recipients(columns[0].expr))
        panel = panel.with_target(query.instant().format(PromQueryFormat.TABLE))
    for heading in keys.values():
        panel = panel.override_by_name(heading, _names((links or {}).get(heading)))
    if order:
        panel = panel.sort_by([common.TableSortByFieldState().display_name(order).desc(True)])
    return panel


def _cells(column: TableColumn) -> list[model.DynamicConfigValue]:
    """How the cells of a column look."""
    values = [
        model.DynamicConfigValue("unit", column.unit),
        model.DynamicConfigValue("noValue", column.no_value),
    ]
    if column.decimals is not None:
        values.append(model.DynamicConfigValue("decimals", column.decimals))
    if column.steps:
        values += [
            model.DynamicConfigValue("thresholds", _thresholds(column.steps).build()),
            model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ]
    return values


def _names(link: tuple[str, str] | None) -> list[model.DynamicConfigValue]:
    """How the cells of a label look: as they are, for Grafana would write version 9001 as 9,001."""
    values = [
        model.DynamicConfigValue("unit", "string"),
        model.DynamicConfigValue("noValue", "–"),
    ]
    if link:
        text, url = link
        values.append(model.DynamicConfigValue("links", [{"title": text, "url": url}]))
    return values


def _query(letter: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(expr).datasource(DATASOURCE)


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=value, color=color) for value, color in steps])
    )
