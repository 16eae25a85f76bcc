"""Prometheus's alarms and their runbook: right by promtool, tested each, and true to the code."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML
from support.estate import HUB, ROOT, S1
from support.servers import program

from dashboards.board import RUNBOOK as SERVED
from router.cli import main
from router.deciding.batch import Effect
from router.deciding.decisions import Verdict
from router.domain.words import ActivationOutcome, FactType, QuarantineReason
from router.lanes.values import ClosedReason
from router.metrics.metrics import Metrics

pytestmark = pytest.mark.once

RULES = ROOT / "dashboards" / "prometheus" / "hubherald.rules.yaml"
TESTS = RULES.with_name("hubherald.rules.test.yaml")
RUNBOOK = (ROOT / "dashboards" / "RUNBOOK.md").read_text()
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SELECTOR = re.compile(r"\b([a-z]\w+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
KINDS: Sequence[type[StrEnum]] = (
    *(Verdict, QuarantineReason, ClosedReason, Effect, FactType, ActivationOutcome),
)
WORDS = {str(word) for kind in KINDS for word in kind}
"""What labels say that come from enumerations."""
WORDS |= {"hubherald", "hubherald.facts", "hubherald.facts.rejected", "signing", "other"}
"""The job, the queues, and what a certificate is for."""
WORDS |= {"retry", "delivered"}
"""What became of an attempt."""
EXAMPLES = {
    "alerts show": "5c3fe18f-bc80-5af7-aea3-b59e90776c6e",
    "quarantine list": HUB,
    "quarantine": "17",
}
"""What stands for ID after these commands; a Device ID after the others."""


def read(file: Path) -> Any:
    return YAML(typ="safe", pure=True).load(file.read_text())


ALARMS = {rule["alert"]: rule for group in read(RULES)["groups"] for rule in group["rules"]}
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
"""What the runbook says, by alarm."""
BLOCKS = [(kind, text) for _, kind, text in BLOCK.findall(RUNBOOK)]
QUERIES = [line for kind, text in BLOCKS if kind == "promql" for line in text.splitlines()]
TYPED = [line.strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
COMMANDS = sorted(
    {
        part.partition("hubherald ")[2]
        for line in [*TYPED, *re.findall(r"`(hubherald [^`]+)`", RUNBOOK)]
        for part in line.split(" && ")
        if part.startswith("hubherald ")
    }
)


def promtool(*words: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [program("promtool"), *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def selectors(expr: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Metrics, each with its matchers."""
    return [(name, MATCHER.findall(inside)) for name, inside in SELECTOR.findall(expr)]


def served() -> dict[str, set[str]]:
    """The labels of each name that a router serves."""
    found: dict[str, set[str]] = {"up": set()}
    metrics = Metrics()
    for value in vars(metrics).values():
        names = getattr(value, "_labelnames", None)
        if names is not None:
            for family in value.describe():
                for suffix in ("", "_total", "_bucket", "_sum", "_count"):
                    found[family.name + suffix] = set(names)
    for family in metrics.registry.collect():  # those of collectors, which have no values yet
        if names := getattr(family, "_labelnames", ()):
            found |= {family.name: set(names), f"{family.name}_total": set(names)}
        elif family.name.startswith("process_"):
            found |= {sample.name: set(sample.labels) for sample in family.samples}
    return found


# The rules.


def test_promtool_finds_nothing_wrong() -> None:
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES, folder=RULES.parent)
    assert f"SUCCESS: {len(ALARMS)} rules found" in said


def test_each_alarm_fires_when_it_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS, folder=TESTS.parent)


def test_each_alarm_has_a_test_that_fires_and_a_near_miss() -> None:
    cases = [
        (test["name"], case) for test in read(TESTS)["tests"] for case in test["alert_rule_test"]
    ]
    firing = {case["alertname"] for _, case in cases if case["exp_alerts"]}
    silent = {case["alertname"] for _, case in cases if not case["exp_alerts"]}
    assert firing == silent == ALARMS.keys()
    for name, case in cases:  # and its name says which
        alarm = case["alertname"].removeprefix("Hubherald")
        assert re.match(rf"{alarm}{': ' if case['exp_alerts'] else ', silent: '}\w", name), name


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_an_operator_needs(name: str) -> None:
    rule = ALARMS[name]
    assert re.fullmatch(r"Hubherald([A-Z][a-z]+)+", name)
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert list(rule["annotations"]) == [
        *("summary", "description", "runbook_url", "dashboard_url")
    ]
    summary, description, _, _ = rule["annotations"].values()
    assert "{{" in summary + description
    assert not summary.endswith(".")
    assert description.endswith(".")
    # the moment of an edge is no trouble yet; what counts over a window needs no more
    assert "for" in rule or re.match(r"(changes|increase)\(", rule["expr"])


def test_one_edit_moves_every_link_to_the_runbook() -> None:
    urls = [rule["annotations"]["runbook_url"] for rule in ALARMS.values()]
    (base,) = {url.partition("#")[0] for url in urls}
    assert base.startswith("http")
    assert base.endswith(SERVED)  # Grafana's, until the operator says otherwise
    edit, of_dashboards = re.findall(r"sed -i '(.*)' hubherald\.rules\.yaml", RULES.read_text())
    _, old, new, _ = edit.split("|")
    text = RULES.read_text().replace(old, new)
    assert SERVED not in text
    assert text.count(f"{new}RUNBOOK.md#") == len(ALARMS)
    _, old, new, _ = of_dashboards.split("|")
    assert text.replace(old, new).count(f"dashboard_url: {new}d/") == len(ALARMS)


def test_an_alarm_leads_to_a_dashboard_that_there_is() -> None:
    uids = {each.stem for each in (RULES.parents[1] / "grafana").glob("*.json")}
    shown = {rule["annotations"]["dashboard_url"].rpartition("/d/")[2] for rule in ALARMS.values()}
    assert shown <= uids


# What they name.


def test_every_metric_and_label_is_one_that_the_router_serves() -> None:
    known = served()
    asked = [rule["expr"] for rule in ALARMS.values()] + QUERIES
    asked += [each["series"] for test in read(TESTS)["tests"] for each in test["input_series"]]
    for expr in asked:
        found = selectors(expr)
        assert found
        for name, matchers in found:
            if name.startswith("rabbitmq_"):  # a real one is asked in test_watched.py
                continue
            assert name in known, expr
            assert {label for label, _, _ in matchers} - {"job", "instance"} <= known[name], expr


def test_every_value_of_a_label_is_one_that_occurs() -> None:
    for expr in [*(rule["expr"] for rule in ALARMS.values()), *QUERIES]:
        for _, matchers in selectors(expr):
            for _, _, value in matchers:
                assert set(value.split("|")) <= WORDS, expr


@pytest.mark.parametrize("name", ALARMS)
def test_every_metric_stands_with_its_job_or_queue(name: str) -> None:
    """An alarm that looks at another estate's routers, or at every queue, is a false one."""
    expr = re.sub(r"\b(by|on|group_left) \([\w, ]*\)", "", ALARMS[name]["expr"])
    for metric, matchers in selectors(expr):
        chosen = ("queue", "=") if metric.startswith("rabbitmq_") else ("job", "=")
        assert chosen in {(label, how) for label, how, _ in matchers}
    left = SELECTOR.sub("", expr)
    assert re.findall(r"\b(?:hubherald|rabbitmq|process)_\w+", left) == []


# The runbook.


def test_each_alarm_has_its_section_and_each_section_its_alarm() -> None:
    assert list(SECTIONS) == list(ALARMS)
    for name, rule in ALARMS.items():
        assert rule["annotations"]["runbook_url"].endswith(f"/RUNBOOK.md#{name.lower()}")


def test_links_within_the_runbook_lead_somewhere() -> None:
    links = re.findall(r"\[(\w+)\]\(#(\w+)\)", RUNBOOK)
    assert links
    assert [link for link in links if link[0] not in SECTIONS or link[1] != link[0].lower()] == []
    assert RUNBOOK.count("](") == len(links)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_it_means_how_to_look_what_to_do_and_when_it_ends(name: str) -> None:
    said = re.findall(r"^\*\*(\w+)\b\.?\*\*", SECTIONS[name], re.MULTILINE)
    assert said == ["Means", "Look", "Do", "Ends"]
    _, look, do, _ = re.split(r"^\*\*(?:Look|Do|Ends)\b", SECTIONS[name], flags=re.MULTILINE)
    assert "```" in look
    assert "```" in do
    sentences = re.split(r"[.:?]\s", re.sub(r"```.*?```", "", SECTIONS[name], flags=re.DOTALL))
    assert [each for each in sentences if len(each.split()) > 32] == []  # it is three o'clock


@pytest.mark.parametrize("typed", COMMANDS)
def test_every_command_and_option_of_the_runbook_exists(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("hubs.csv", "registrations.csv"):
        Path(file).touch()
    example = next((EXAMPLES[each] for each in EXAMPLES if typed.startswith(each)), HUB)
    Path("rules.before").mkdir()
    given = {"USER": S1, "CHANNEL": "webhook", "ID": example, "VERSION": "9001"}
    given |= {"DIGEST": "3f2a91c0", "TIME": "2899-01-31"}
    given |= {f"USER/{name}": f"{S1}/{name.lower()}" for name in ("OLD", "NEW")}
    words = [given.get(word, word) for word in typed.split()]
    command: click.Command = main
    context = click.Context(main)
    name: str | None = ""
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_context(name, words)  # parses, and runs nothing; raises what a user would see


def test_no_command_of_the_runbook_is_missed() -> None:
    lines = [line for line in RUNBOOK.splitlines() if re.match(r" *hubherald ", line)]
    assert {line.strip().split(" && ")[0] for line in lines} <= {f"hubherald {c}" for c in COMMANDS}
    assert len(COMMANDS) > 15


def test_prometheus_understands_the_queries_of_the_runbook(tmp_path: Path) -> None:
    rules = [{"record": f"query:{n}", "expr": expr} for n, expr in enumerate(QUERIES)]
    with (tmp_path / "rules.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"groups": [{"name": "runbook", "rules": rules}]}, file)
    said = promtool("check", "rules", "rules.yaml", folder=tmp_path)
    assert f"SUCCESS: {len(QUERIES)} rules found" in said


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md"])
def test_the_papers_say_how_many_there_are(file: str) -> None:
    told = re.findall(
        r"hubherald.rules.yaml\) beside it: (\d+)|prometheus/`, (\d+) of them",
        (ROOT / file).read_text(),
    )
    assert ["".join(each) for each in told] == [str(len(ALARMS))]
