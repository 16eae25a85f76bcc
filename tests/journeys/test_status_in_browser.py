"""The status page of a troubled router in Debian's Chromium, as people see it and can use it.

The pictures are in .cache/screenshots/: look at them after a change of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright
from support.estate import HUB, ROOT, S1, S2, S3, S4, SUPPLIER, Estate
from support.listener import Listener
from support.liverouter import WRONG, Live, running
from support.nginx import proxied
from support.servers import PAGE, npm_package, program

pytestmark = pytest.mark.once

README = (ROOT / "README.md").read_text()
PICTURES = ROOT / ".cache" / "screenshots"
FLAGS = [
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HUBS = {user: f"{HUB[:-1]}{number}" for number, user in enumerate((S1, S2, S3, S4), 1)}
NAMES = {S1: "Amber Energy", S2: "Bramble Power", S3: "Cinder Gas", S4: "Dapple Energy"}
VIEWS = {
    "front": "/",
    "hub": f"/?q={HUBS[S3]}",
    "user": f"/?q={S2}",
    "several": "/?q=energy",
    "nothing": "/?q=nobody",
}
SCREENS = {
    "wide": (1280, "light"),
    "dark": (1280, "dark"),
    "phone": (360, "light"),
    "narrow": (320, "light"),
}
"""Pixels across (320 is what WCAG 1.4.10 asks for), and the colours that the reader prefers."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A router with recipients of each kind, facts in quarantine, and a reload that was refused."""
    estate = Estate(tmp_path_factory.mktemp("status"))
    with ExitStack() as stack:
        for user, status in {S1: 0, S2: 503, S3: 422, S4: 401}.items():
            listener = stack.enter_context(Listener(broken=status > 0, status=status))
            channel = {"adapter": "webhook", "url": listener.url}
            if user == S3:
                channel["hold_hours"] = 1 / 3600  # then it is parked
            estate.user(user, SUPPLIER, name=NAMES[user], channels=[channel])
            estate.hub(HUBS[user], csp_region="North")
            estate.registration("import_mpan", user, device_id=HUBS[user])
            estate.activation("01020304", device_id=HUBS[user])
            estate.activation("9002", device_id=HUBS[user], outcome="failure")
        estate.line(b"this is no fact")
        rules = estate.folder / "rules"
        rules.mkdir()
        for file in (ROOT / "rules").glob("*.yaml"):
            (rules / file.name).write_bytes(file.read_bytes())
        live = stack.enter_context(running(estate))
        states = "SELECT count(*) FROM deliveries WHERE state IN ('delivered', 'parked')"
        live.until(lambda: estate.ask(states) == [(2,)])
        live.until(lambda: estate.ask("SELECT closed FROM lanes WHERE closed IS NOT NULL"))
        (rules / "bad.yaml").write_text(WRONG)
        assert live.post()[0] == 422
        yield live


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS) as browser,
    ):
        yield browser


@pytest.fixture
def page(browser: Browser, live: Live) -> Iterator[Page]:
    """As most people have it, but without JavaScript."""
    with browser.new_context(base_url=live.url, java_script_enabled=False) as context:
        yield context.new_page()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("view", VIEWS)
def test_everybody_can_read_it(browser: Browser, live: Live, view: str, screen: str) -> None:
    """By the rules of WCAG 2.2 that a program can check, names and contrast among them."""
    width, colours = SCREENS[screen]
    size = {"width": width, "height": 800}
    # the policy would keep the checker out, too
    with browser.new_context(
        base_url=live.url, viewport=size, color_scheme=colours, bypass_csp=True
    ) as context:
        page = context.new_page()
        page.goto(VIEWS[view])
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{view}-{screen}.png", full_page=True)
        beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(beyond) == 0, "it must not be scrolled sideways"
        page.add_script_tag(path=npm_package("axe-core", PAGE) / "axe.min.js")
        found = page.evaluate("axe.run()")
        assert found["passes"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []


def test_the_front_page_says_what_is_wrong(page: Page) -> None:
    page.goto("/")
    expect(page).to_have_title("Status · Hubherald")
    expect(page.get_by_text("Ready: facts are taken")).to_be_visible()
    expect(page.get_by_text("1 fact waiting")).to_be_visible()
    expect(page.get_by_text("The last reload was refused")).to_be_visible()
    expect(page.get_by_text("bad.yaml:4:9: unknown-field")).to_be_visible()
    lanes = page.get_by_role("table", name="Lanes").get_by_role("row")
    expect(lanes).to_have_count(5)
    expect(lanes.nth(1)).to_contain_text(
        re.compile("Dapple Energy.*closed, credentials: answered 401")
    )
    expect(lanes.filter(has_text="Cinder Gas")).to_contain_text("422")
    expect(lanes.filter(has_text="Bramble Power")).to_contain_text(
        re.compile(r"open, failing: \d+ in a row, next try 20")
    )
    expect(lanes.filter(has_text="Bramble Power").locator(".good")).to_have_count(0)
    needed = page.get_by_text("Needs a person").locator("xpath=ancestor::div[1]")
    for said in ("quarantine: 1 fact", f"Dapple Energy {S4} webhook closed, credentials"):
        expect(needed).to_contain_text(said)
    for alarm in ("QuarantineGrowing", "LaneClosed", "AlertsParked"):
        expect(needed).to_contain_text(f"(alarm Hubherald{alarm})")
    versions = page.get_by_role("table", name="Firmware versions").get_by_role("row")
    expect(versions.nth(1)).to_have_text(re.compile(r"^\s*(01020304\s*4|9002\s*0\s*4)"))
    facts = page.get_by_role("table", name="Facts that wait").get_by_role("row")
    expect(facts.nth(1)).to_contain_text("malformed")
    rules = page.get_by_role("table", name="Rules").get_by_role("rowheader")
    expect(rules.filter(has_text="alert-import-supplier")).to_have_count(1)


def test_a_hub_is_searched_and_its_story_read_without_javascript(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox", name="Device ID").fill(f" {HUBS[S3].lower()} ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hub {HUBS[S3]}")
    story = page.get_by_role("list", name="Timeline")
    expect(story).to_contain_text("9002: activation failure")
    expect(story).to_contain_text(f"Cinder Gas {S3} as import supplier: alerted")
    expect(story).to_contain_text("webhook: parked")
    page.get_by_role("link", name=S3).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Cinder Gas {S3}")
    page.get_by_role("table", name="Newest Alerts").get_by_role("link", name=HUBS[S3]).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Hub {HUBS[S3]}")
    page.get_by_role("link", name="Hubherald").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Hubherald")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("bramble")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Search")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bramble Power {S2}")


def test_the_browser_keeps_everything_else_out(browser: Browser, live: Live) -> None:
    with browser.new_context(base_url=live.url) as context:
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto("/")
        assert said == []  # its own style is let in
        weight = "getComputedStyle(document.querySelector('header a')).fontWeight"
        assert page.evaluate(weight) == "700"
        with pytest.raises(Error):
            page.add_script_tag(content="window.ours = 1")
        with pytest.raises(Error):
            page.add_style_tag(content="body { display: none }")
        assert page.evaluate("window.ours") is None
        for word in ("script-src", "style-src"):
            assert [line for line in said if word in line], said


def test_it_is_whole_below_a_path_of_a_proxy(browser: Browser, live: Live, tmp_path: Path) -> None:
    """nginx with the two lines that the README gives, and what it adds by itself."""
    (lines,) = re.findall(
        r"^ {4}location /hubherald/ \{\n(.*?)^ {4}\}", README, re.MULTILINE | re.DOTALL
    )
    inside = lines.replace("http://127.0.0.1:9464/", f"{live.url}/")
    with (
        proxied(tmp_path / "nginx", "/hubherald/", inside) as url,
        browser.new_context(java_script_enabled=False) as context,
    ):
        page = context.new_page()
        page.goto(url.removesuffix("/"))  # as people type it
        expect(page).to_have_title("Status · Hubherald")
        page.get_by_role("searchbox").fill("bramble")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Bramble Power {S2}")
        assert page.url == f"{url}?q=bramble"
        page.get_by_role("table", name="Newest Alerts").get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Hub {HUBS[S2]}")
        page.get_by_role("link", name="Metrics").click()
        assert page.url == f"{url}metrics"
        expect(page.get_by_text("hubherald_build_info")).to_be_visible()
        page.go_back()
        page.get_by_role("link", name="Hubherald").click()
        assert page.url == url
        style = page.evaluate("getComputedStyle(document.querySelector('header a')).fontWeight")
        assert style == "700"


def test_nothing_on_it_changes_anything(page: Page, live: Live) -> None:
    actions = live.estate.ask("SELECT count(*) FROM actions")
    for path in VIEWS.values():
        page.goto(path)
        forms = page.locator("form")
        expect(forms).to_have_count(1)
        expect(forms).to_have_attribute("method", "get")
        targets = {link.get_attribute("href") for link in page.get_by_role("link").all()}
        assert all(re.fullmatch(r"\.|\?q=[^&]+|metrics", target or "") for target in targets)
    assert live.estate.ask("SELECT count(*) FROM actions") == actions
