"""What the status page tells, and that it only tells; a browser looks at it in tests/journeys."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import lxml.html
import pytest
from support.commandline import call
from support.estate import GAS, HUB, IMPORT, S1, S2, S3, SUPPLIER, Estate

from router.config.loading import load
from router.domain.timestamps import lasting
from router.domain.words import UserStatus
from router.ledger.database import Use, open_database
from router.ledger.queries.actions import ActionRow
from router.ledger.queries.overview import Overview
from router.service.endpoint import Page
from router.service.reloading import ReloadRefused
from router.service.statuspage import page as module
from router.service.statuspage.layout import clean, document
from router.service.statuspage.overview import front_page
from router.service.statuspage.page import StatusPage
from router.service.statuspage.state import RouterState, SourceState

GONE = "90-B3-D5-1F-30-01-00-77"
EARLY = HUB[:-2] + "EE"
UNKNOWN = HUB[:-2] + "99"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """A ledger with something of everything; its names and ids would like to be markup."""
    estate = Estate(tmp_path_factory.mktemp("routed"))
    estate.user(S1, SUPPLIER, name="Amber <b>Energy</b>")
    estate.user(S2, SUPPLIER, name="Bramble Energy", subscriptions=["firmware"])
    estate.user(S3, SUPPLIER, name="Cinder Power", status=UserStatus.SUSPENDED)
    estate.hub(csp_region="North", groups=["pilot"])
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.registration("export_mpan", S3)
    for number in range(3):
        estate.activation(f"900{number}", id=f"<script>alert({number})</script>")
    estate.activation("9009", id="failed", outcome="failure")
    estate.activation("9001", id="early", device_id=EARLY)
    estate.line(b"no fact at all")
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    return estate


@pytest.fixture
def state(estate: Estate) -> RouterState:
    config = load(estate.folder / "hubherald.yaml")
    now = datetime.now(UTC)
    sources = [SourceState("inbox", "folder", None, None)]
    return RouterState("0.1.0", now, None, sources, config, now - timedelta(hours=3), None)


Ask = Callable[[str], tuple[int, lxml.html.HtmlElement]]


@pytest.fixture
def ask(state: RouterState) -> Ask:
    """Status and page for the words in the search field."""
    page = StatusPage(state.config.ledger.url, lambda: state)

    def answer(words: str) -> tuple[int, lxml.html.HtmlElement]:
        given = asyncio.run(page.answer(words))
        return given.status, parsed(given.html)

    return answer


def parsed(html: str) -> lxml.html.HtmlElement:
    """With a space behind each block, where people see a new line."""
    return lxml.html.fromstring(re.sub(r"(?=<br>|</(?:dt|dd|li|p|h\d|td|th)>)", " ", html))


def text(element: lxml.html.HtmlElement) -> str:
    """What people read."""
    return " ".join(element.text_content().split())


def rows(html: lxml.html.HtmlElement, caption: str) -> list[list[str]]:
    """The cells of the table with this caption."""
    (table,) = [
        each for each in html.iter("table") if text(each.find("caption")).startswith(caption)
    ]
    return [[text(cell) for cell in row] for row in table.find("tbody")]


# --- the front page -------------------------------------------------------------------------


def test_the_front_page_says_how_intake_lanes_and_rules_stand(ask: Ask, state: RouterState) -> None:
    status, html = ask("")
    said = text(html.find("body/main"))
    assert status == 200
    assert "Ready: facts are taken" in said
    assert "2 facts waiting (1 malformed, 1 unknown_hub)" in said
    assert "2 open, 1 closed" in said
    assert "Held Alerts 3 on closed lanes" in said
    assert state.config.rules.digest in said
    assert "(3 h ago)" in said
    assert rows(html, "Sources") == [["inbox", "folder", "up", "-"]]
    first, *others = rows(html, "Lanes")
    assert first[:2] == [f"Cinder Power {S3}", "folder"]
    assert first[2] == "3"
    assert first[5].startswith("closed, suspended")
    assert [lane[2] for lane in others] == ["0", "0"]
    assert all(lane[5].startswith("open Last answer 20") for lane in others)
    rules = rows(html, "Rules")
    assert [rule[0] for rule in rules] == [rule.name for rule in state.config.rules.rules]
    assert rules[0][1] == "Alert N64"
    assert rules[0][3].startswith("alerts.yaml:")


def test_it_says_why_no_facts_can_come(state: RouterState) -> None:
    down = SourceState("dsp", "rabbitmq", "the broker is \u202eaway", 3, "RabbitMQ 4.2.0\u202e")
    state = replace(state, not_ready="source dsp: the broker is away", sources=[down])
    html = shown(state)
    assert "Not ready" in text(html)
    adapter = r"rabbitmq (RabbitMQ 4.2.0\u202e)"
    assert rows(html, "Sources") == [["dsp", adapter, r"down: the broker is \u202eaway", "3"]]


def test_a_source_that_stands_by_is_ready(state: RouterState) -> None:
    waits = SourceState("dsp", "rabbitmq", None, 1, "RabbitMQ", standby="another is the active one")
    html = shown(replace(state, not_ready=None, sources=[waits]))
    assert "Ready" in text(html)
    assert rows(html, "Sources")[0][2] == "standby: another is the active one"


def shown(
    state: RouterState, seen: Overview | None = None, trouble: str | None = None
) -> lxml.html.HtmlElement:
    main = front_page(state, seen, trouble)
    return parsed(document("", asked="", version="", now=state.now, main=main))


def test_it_says_why_the_last_reload_was_refused(state: RouterState) -> None:
    problem = "rules/a.yaml:3:5: unknown-field no such field"
    refused = ReloadRefused(state.now - timedelta(minutes=2), "SIGHUP", [problem, *["more"] * 999])
    said = text(shown(replace(state, refused=refused)))
    assert "The last reload was refused: what is below serves on" in said
    assert "By SIGHUP" in said
    assert problem in said
    assert said.count("more") == 19
    assert "All of them: hubherald check" in said


def test_without_a_ledger_it_shows_the_rest(state: RouterState, tmp_path: Path) -> None:
    page = StatusPage(f"sqlite:///{tmp_path}/none.db", lambda: state)
    for words in ("", HUB):
        answer = asyncio.run(page.answer(words))
        assert answer.status == 200
        assert "The ledger could not be read" in answer.html
        assert f"{tmp_path}/none.db: there is no ledger" in answer.html
        assert state.config.rules.digest in answer.html
    assert not (tmp_path / "none.db").exists()


def test_what_stands_where_the_ledger_was_is_not_opened(state: RouterState) -> None:
    """It would be the router's own log that is taken for a part of it."""
    page = StatusPage(state.config.ledger.url, lambda: replace(state, lost="x.db: replaced"))
    answer = asyncio.run(page.answer(""))
    assert "x.db: replaced" in text(parsed(answer.html))
    assert "Lanes" not in text(parsed(answer.html).find("body/main"))


@pytest.mark.parametrize(
    ("failures", "kind", "needs"), [(1, "wait", False), (4, "bad", True), (0, "good", False)]
)
def test_a_lane_that_fails_is_not_green(
    state: RouterState, failures: int, kind: str, needs: bool
) -> None:
    with closing(open_database(state.config.ledger.url, Use.READ)) as database:
        seen = module.overview(database)
    lane = next(each for each in seen.lanes if each.state == "open")
    lane = replace(lane, failures=failures, next_try=state.now + timedelta(minutes=5))
    html = shown(state, replace(seen, lanes=[lane], quarantined={}, parked={}))
    (first,) = html.xpath("//table[contains(caption, 'Lanes')]/tbody//td[last()]//span[@class]")
    assert first.get("class") == kind
    said = text(html)
    assert ("Needs a person" in said) is needs
    assert ("(alarm HubheraldRecipientFailing)" in said) is needs
    if failures:
        assert f"open, failing: {failures} in a row, next try 20" in said


def test_actions_name_the_user(state: RouterState) -> None:
    with closing(open_database(state.config.ledger.url, Use.READ)) as database:
        seen = module.overview(database)
    at = state.now - timedelta(hours=1)
    paused = ActionRow(1, at, "ann", "lanes pause", f"{S2} folder", None, "works", "", {})
    html = shown(state, replace(seen, actions=[paused]))
    assert rows(html, "The last 10")[0][1:4] == [
        "ann",
        "lanes pause",
        f"Bramble Energy {S2} folder",
    ]


def test_what_is_too_much_for_a_page_is_counted(state: RouterState) -> None:
    with closing(open_database(state.config.ledger.url, Use.READ)) as database:
        seen = module.overview(database)
    many = replace(seen, lanes=[seen.lanes[0]] * 1_234)
    html = shown(state, many)
    assert len(rows(html, "Lanes")) == 200
    assert "1,034 more: hubherald lanes list" in text(html)


# --- a hub ----------------------------------------------------------------------------------


def test_a_hub_is_told_as_a_timeline_the_newest_first(ask: Ask) -> None:
    status, html = ask(HUB.lower())
    assert status == 200
    said = text(html.find("body/main"))
    assert "Commissioned, SMETS2" in said
    assert "Region North" in said
    titles = [text(each) for each in html.iter("h3")]
    assert [title[20:] for title in titles[:5]] == [
        "9009: activation failure",
        "9002: activation success",
        "9001: activation success",
        "9000: activation success",
        "registration.updated",
    ]
    assert "as import supplier: alerted by rule alert-import-supplier" in said
    assert "suppressed by rule failed-activation" in said
    assert "folder: delivered after 1 attempt Attempt 1" in said
    assert "folder: held; lane closed: suspended since" in said


def test_it_finds_a_hub_written_without_hyphens(ask: Ask) -> None:
    assert text(ask(HUB.replace("-", ""))[1].find(".//h1")) == f"Hub {HUB}"


def test_meter_point_numbers_are_not_told_in_full(ask: Ask) -> None:
    said = text(ask(HUB)[1])
    assert f"import MPAN …{IMPORT[-3:]}" in said
    assert IMPORT not in said
    assert GAS not in said


def test_what_waits_in_quarantine_is_told_of_a_hub_that_nobody_knows(ask: Ask) -> None:
    status, html = ask(EARLY)
    said = text(html)
    assert status == 200
    assert "Not in the inventory" in said
    assert "In quarantine, number 1" in said
    assert "Next: is decided by itself as soon as the hub is in the inventory" in said


def test_only_the_newest_facts_are_read(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.service.statuspage.hub.NEWEST", 2)
    said = text(ask(HUB)[1].find("body/main"))
    assert f"The 2 newest facts; all of them: hubherald why --hub {HUB}" in said
    assert "9002: activation" in said
    assert "9001: activation" not in said
    assert said.count("Alert N64") == 3


# --- a Service User -------------------------------------------------------------------------


@pytest.mark.parametrize("words", [S2, S2.lower(), "bramble"])
def test_a_service_user_is_found_by_id_and_by_name(ask: Ask, words: str) -> None:
    status, html = ask(words)
    assert status == 200
    assert text(html.find(".//h1")) == f"Bramble Energy {S2}"
    assert "Subscriptions firmware" in text(html)
    alerts = rows(html, "Newest Alerts")
    assert [row[1:4] for row in alerts] == [[str(n), HUB, f"900{n - 1}"] for n in (3, 2, 1)]
    assert {row[5] for row in alerts} == {"delivered"}
    assert [lane[:2] for lane in rows(html, "Lanes")] == [[f"Bramble Energy {S2}", "folder"]]


def test_a_suspended_user_is_said_to_be_one(ask: Ask) -> None:
    said = text(ask("cinder")[1])
    assert "suspended: Alerts are held" in said


def test_a_user_who_has_left_is_still_found(ask: Ask, state: RouterState) -> None:
    users = dict(state.config.users.by_id)
    del users[S1]
    left = replace(state.config, users=replace(state.config.users, by_id=users))
    page = StatusPage(left.ledger.url, lambda: replace(state, config=left))
    said = text(parsed(asyncio.run(page.answer(S1)).html))
    assert "No longer in service_users.yaml" in said
    assert HUB in said


def test_names_that_fit_several_are_listed(ask: Ask) -> None:
    status, html = ask("ENERGY")
    assert status == 200
    assert [text(each) for each in html.iter("dt")] == ["Amber <b>Energy</b>", "Bramble Energy"]
    assert [each.get("href") for each in html.findall(".//dd/a")] == [f"?q={S1}", f"?q={S2}"]


@pytest.mark.parametrize("words", [UNKNOWN, "nobody", "90-B3", "%00", "/?q="])
def test_what_is_not_found_is_said_with_what_to_give(ask: Ask, words: str) -> None:
    status, html = ask(words)
    assert status == 404
    assert "Nothing found" in text(html)
    assert "Give a Device ID such as" in text(html)


# --- nothing to be misled by, nothing to change -----------------------------------------------


@pytest.mark.parametrize(
    "words", ['"><script>alert(1)</script>', "' onfocus='x", "</title><script>", S1, HUB, ""]
)
def test_no_text_becomes_markup(ask: Ask, words: str) -> None:
    _, html = ask(words)
    elements = {each.tag for each in html.iter() if isinstance(each.tag, str)}
    assert elements.isdisjoint({"script", "b", "iframe", "object", "img", "link"})
    assert not [name for each in html.iter() for name in each.attrib if name.startswith("on")]
    assert html.find(".//input").get("value") == words
    assert [form.get("method") for form in html.iter("form")] == ["get"]
    assert html.findall(".//form[@action='.']") == html.findall(".//form")


def test_the_policy_allows_its_own_style_and_no_other(state: RouterState) -> None:
    page = StatusPage(state.config.ledger.url, lambda: state)
    answer = asyncio.run(page.answer(""))
    style = answer.html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert answer.policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]


def test_what_can_not_be_seen_is_written_out() -> None:
    assert clean("a\u202eb\nc") == r"a\u202eb\nc"
    assert clean("Łódź …") == "Łódź …"
    assert clean(None) == ""


def test_a_long_question_is_cut(ask: Ask) -> None:
    _, html = ask("x" * 5_000)
    assert len(html.find(".//input").get("value")) == 100


async def test_pages_are_made_one_after_the_other_and_not_too_many_wait(state: RouterState) -> None:
    page = StatusPage(state.config.ledger.url, lambda: state)
    answers: list[Page] = await asyncio.gather(*(page.answer("") for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [503] * 3
    assert (await page.answer("")).status == 200


async def test_a_ledger_that_takes_too_long_is_left(
    state: RouterState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_READ", -1.0)
    monkeypatch.setattr("router.ledger.sqlitefile.INSTRUCTIONS", 1)
    answer = await StatusPage(state.config.ledger.url, lambda: state).answer(HUB)
    assert answer.status == 200
    assert "the ledger can&#39;t be used now: interrupted" in answer.html


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_605, "1 h"),
        (3_660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (9_000_000, "104 d 4 h"),
    ],
)
def test_times_are_told_in_their_largest_units(seconds: float, words: str) -> None:
    assert lasting(timedelta(seconds=seconds)) == words
