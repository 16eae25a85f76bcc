"""The Grafana dashboards: current, sound, and clean by the rules of Grafana's dashboard-linter."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.servers import program

from dashboards.build import FOLDER, build
from dashboards.queries import WHOLE, Query, filled, queries_of

NAMES = ("overview", "recipients", "rules", "delivery", "intake")
FILES = [f"hubherald-{name}.json" for name in NAMES]
SHOWING = {"stat", "table", "timeseries"}
UNITS = {
    *("bool_yes_no", "bytes", "cpm", "cps", "dateTimeAsIso", "dtdurations", "locale", "none"),
    *("percentunit", "s", "short", "string"),
}
"""Those that we use, all of them in Grafana's own catalogue."""
WORDS = {
    *("and", "bool", "by", "changes", "count", "group_left", "histogram_quantile", "increase"),
    *("max", "min", "on", "or", "rate", "sum", "time"),
}
"""What may stand in a query beside selectors and the labels of a clause."""
SELECTOR = re.compile(r"(?:\b(\w+)\()?\b([a-zA-Z_]\w*)\{([^}]*)\}(?:\[([^\]]+)\])?")
"""The function around it, if any, the metric, its matchers and its range."""

pytestmark = [pytest.mark.once, pytest.mark.parametrize("file", FILES)]

Board = dict[str, Any]


@cache
def board(file: str) -> Board:
    found: Board = json.loads((FOLDER / file).read_text())
    return found


def panels(file: str) -> list[dict[str, Any]]:
    return [panel for panel in board(file)["panels"] if panel["type"] in SHOWING]


def variables(file: str, kind: str = "query") -> list[dict[str, Any]]:
    return [each for each in board(file)["templating"]["list"] if each["type"] == kind]


def asked(file: str) -> list[Query]:
    """What is plain PromQL, of panels and annotations."""
    return [query for query in queries_of(board(file)) if query.kind != "variable"]


def selectors(file: str) -> Iterator[tuple[Query, re.Match[str]]]:
    for query in asked(file):
        for found in SELECTOR.finditer(query.expr):
            yield query, found


def exempt(rule: str) -> set[tuple[str, str]]:
    """The panels that `.lint` excludes from a rule, with a reason."""
    exclusion = YAML(typ="safe").load((FOLDER / ".lint").read_text())["exclusions"][rule]
    assert exclusion["reason"]
    return {(entry["dashboard"], entry["panel"]) for entry in exclusion["entries"]}


# What is committed is what the code makes.


def test_the_committed_file_is_current(file: str) -> None:
    assert (FOLDER / file).read_text() == build()[file], "run 'make dashboards'"


def test_nothing_else_is_committed(file: str) -> None:
    assert {each.name for each in FOLDER.glob("*.json")} == build().keys() == set(FILES)


# The rules of dashboard-linter, under their names.


def test_template_datasource_rule(file: str) -> None:
    (datasource,) = variables(file, "datasource")
    assert (datasource["name"], datasource["label"]) == ("datasource", "Data source")
    assert datasource["query"] == "prometheus"


@pytest.mark.parametrize("name", ["job", "instance"])
def test_template_job_and_instance_rule(file: str, name: str) -> None:
    (found,) = [each for each in variables(file) if each["name"] == name]
    assert found["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert (found["label"], found["multi"], found["includeAll"]) == (name.title(), True, True)
    assert found["allValue"] == ".+"


def test_template_label_promql_rule(file: str) -> None:
    wrong = [
        each["query"]
        for each in variables(file)
        if not re.fullmatch(r"label_values\(\w+(\{[^}]+\})?, \w+\)", each["query"])
    ]
    assert wrong == []


def test_template_on_time_change_reload_rule(file: str) -> None:
    assert {each["refresh"] for each in variables(file)} == {2}


def test_panel_datasource_rule(file: str) -> None:
    used = [panel["datasource"] for panel in panels(file)]
    used += [target["datasource"] for panel in panels(file) for target in panel["targets"]]
    used += [each["datasource"] for each in board(file)["annotations"]["list"]]
    used += [each["datasource"] for each in variables(file)]
    assert [each for each in used if each != {"type": "prometheus", "uid": "${datasource}"}] == []


def test_panel_title_description_rule(file: str) -> None:
    assert [panel["id"] for panel in panels(file) if not panel["title"].strip()] == []
    short = [panel["title"] for panel in panels(file) if len(panel["description"].split()) < 3]
    assert short == []


def test_panel_units_rule(file: str) -> None:
    units = {panel["title"]: [panel["fieldConfig"]["defaults"]["unit"]] for panel in panels(file)}
    for panel in panels(file):
        for override in panel["fieldConfig"].get("overrides", ()):
            units[panel["title"]] += [
                each["value"] for each in override["properties"] if each["id"] == "unit"
            ]
    assert {title: used for title, used in units.items() if not UNITS.issuperset(used)} == {}


def test_panel_no_targets_rule(file: str) -> None:
    assert [panel["title"] for panel in panels(file) if not panel["targets"]] == []


def test_target_promql_rule(file: str, tmp_path: Path) -> None:
    """Prometheus itself parses every query, those of variables too."""
    exprs = [query.expr for query in asked(file)]
    exprs += [
        each["query"].removeprefix("label_values(").rpartition(",")[0] for each in variables(file)
    ]
    rules = [{"record": f"query:{n}", "expr": filled(expr)} for n, expr in enumerate(exprs)]
    rule_file = tmp_path / "rules.yaml"
    rule_file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        [program("promtool"), "check", "rules", rule_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"{len(rules)} rules found" in checked.stdout


def test_target_rate_interval_rule(file: str) -> None:
    """What is drawn over time uses Grafana's interval; one number is of all the time shown."""
    allowed = {
        "range": {("rate", "$__rate_interval")},
        "annotation": {("changes", "$__rate_interval")},
        "instant": {("increase", "$__range")},
    }
    assert [
        query
        for query, found in selectors(file)
        if found[4] and (found[1], found[4]) not in allowed[query.kind]
    ] == []


@pytest.mark.parametrize("name", ["job", "instance"])
def test_target_job_and_instance_rule(file: str, name: str) -> None:
    out = exempt(f"target-{name}-rule")
    assert [
        query
        for query, found in selectors(file)
        if f'{name}=~"${name}"' not in found[3].split(", ")
        and (board(file)["title"], query.place) not in out
    ] == []


def test_target_counter_agg_rule(file: str) -> None:
    """Counters, and the parts of histograms, which are counters too, are rated."""
    assert [
        query
        for query, found in selectors(file)
        if found[2].endswith(("_total", "_bucket", "_sum", "_count"))
        and found[1] not in {"rate", "increase"}
    ] == []


def test_target_histogram_rule(file: str) -> None:
    quantile = re.compile(
        r"histogram_quantile\(0\.\d+, sum by \(le(, \w+)*\) \((rate|increase)\(\w+_bucket\{"
    )
    buckets = [query for query, found in selectors(file) if found[2].endswith("_bucket")]
    assert [query for query in buckets if not quantile.match(query.expr)] == []


def test_uneditable_dashboard_rule(file: str) -> None:
    """Exempt: whoever imports one may change it."""
    exclusions = YAML(typ="safe").load((FOLDER / ".lint").read_text())["exclusions"]
    assert exclusions["uneditable-dashboard-rule"]["reason"]
    assert board(file)["editable"] is True


# What the linter does not look at.


def test_exemptions_are_needed(file: str) -> None:
    """`.lint` excludes alarms, and panels about RabbitMQ, which choose the broker's job."""
    if board(file)["title"] in {title for title, _ in exempt("target-job-rule")}:
        of_others = {
            (board(file)["title"], query.place)
            for query, found in selectors(file)
            if (found[2].startswith("rabbitmq_") and 'job=~"$broker"' in found[3])
            or found[2] == "ALERTS"
        }
        here = {place for place in exempt("target-job-rule") if place[0] == board(file)["title"]}
        assert exempt("target-job-rule") == exempt("target-instance-rule")
        assert here == of_others
    else:
        assert not [found for _, found in selectors(file) if found[2].startswith("rabbitmq_")]


def test_every_metric_stands_in_a_selector(file: str) -> None:
    """Without this, a metric without matchers would escape the rules above."""
    clause = re.compile(r"\b(by|on|group_left) \([\w, ]*\)")
    assert [
        (query, word)
        for query in asked(file)
        for word in re.findall(r"[a-zA-Z_]\w*", clause.sub("", SELECTOR.sub(r"\1", query.expr)))
        if word not in WORDS
    ] == []


def test_no_query_gives_nan(file: str) -> None:
    """Neither by a division by 0 nor by the quantile of nothing."""
    divisors = re.compile(r" / (?!\(.+ > 0\)$|\d+\)?$|process_max_fds\{)")
    assert [query for query in asked(file) if divisors.search(query.expr)] == []
    quantiles = [query for query in asked(file) if "histogram_quantile" in query.expr]
    assert [query for query in quantiles if not query.expr.endswith(") >= 0")] == []


def test_variables_are_there_and_used(file: str) -> None:
    text = json.dumps(board(file))
    declared = {each["name"] for each in board(file)["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", text))
    assert used == declared
    assert declared - {"datasource"} <= WHOLE.keys()


def test_panels_fill_the_grid(file: str) -> None:
    """24 columns on each line, none of them twice."""
    cells: Counter[tuple[int, int]] = Counter()
    for panel in board(file)["panels"]:
        place = panel["gridPos"]
        for y in range(place["y"], place["y"] + place["h"]):
            cells.update((x, y) for x in range(place["x"], place["x"] + place["w"]))
    lines = max(y for _, y in cells) + 1
    assert cells == Counter((x, y) for x in range(24) for y in range(lines))


def test_nothing_is_there_twice(file: str) -> None:
    ids = [panel["id"] for panel in board(file)["panels"]]
    titles = [panel["title"] for panel in board(file)["panels"]]
    assert len(ids) == len(set(ids))
    assert len(titles) == len(set(titles))
    for panel in panels(file):
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters))


def test_a_panel_says_what_nothing_means(file: str) -> None:
    assert [
        p["title"] for p in panels(file) if not p["fieldConfig"]["defaults"].get("noValue")
    ] == []
    assert [p["title"] for p in panels(file) if len(p["title"]) > 32] == []


def test_lines_have_legends_and_a_table_has_headings(file: str) -> None:
    for panel in panels(file):
        if panel["type"] == "timeseries":
            assert all(target["legendFormat"] for target in panel["targets"])
        if panel["type"] == "table":
            _, organize = panel["transformations"]
            names = organize["options"]["renameByName"]
            units = {
                override["matcher"]["options"]: override["properties"][0]["value"]
                for override in panel["fieldConfig"]["overrides"]
            }
            assert units.keys() == set(names.values())
            # a label that looks like a number stays as it is
            labels = {names[field] for field in names if not field.startswith("Value")}
            assert {heading for heading, unit in units.items() if unit == "string"} == labels


def test_labels_that_legends_and_tables_name_are_asked_for(file: str) -> None:
    for panel in panels(file):
        for target in panel["targets"]:
            named = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            if panel["type"] == "table":
                _, organize = panel["transformations"]
                names = organize["options"]["renameByName"]
                named = {label for label in names if not label.startswith("Value")}
                kept = re.findall(r"\bby \(([\w, ]+)\)", target["expr"])
                # every column has the same labels, or a row would fall apart; one may lack some
                assert {label for clause in kept for label in clause.split(", ")} - {"le"} <= named
            else:
                kept = re.findall(r"\b(?:by|on) \(([\w, ]+)\)", target["expr"])
                assert named <= {label for clause in kept for label in clause.split(", ")}


def test_dashboards_lead_to_each_other_and_to_the_runbook(file: str) -> None:
    found = board(file)
    assert found["uid"] == file.removesuffix(".json")
    assert found["tags"] == ["hubherald"]
    others, runbook = found["links"]
    assert (others["type"], others["tags"]) == ("dashboards", ["hubherald"])
    assert others["keepTime"] and others["includeVars"]
    assert runbook["type"] == "link"
    assert runbook["url"].endswith("/RUNBOOK.md")
    assert {f"{uid}.json" for uid in re.findall(r"/d/([\w-]+)", json.dumps(found))} <= set(FILES)


def test_grafana_is_told_where_dashboards_and_prometheus_are(file: str) -> None:
    provisioning = FOLDER / "provisioning"
    (source,) = YAML(typ="safe").load(provisioning / "datasources/datasources.yaml")["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = YAML(typ="safe").load(provisioning / "dashboards/dashboards.yaml")["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert provider["allowUiUpdates"] is False  # what is provisioned is made by code
