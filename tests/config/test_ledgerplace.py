"""Tests of finding the ledger: at a glance the same as in full, for every file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.config.configfile import ConfigFile
from router.config.ledgerplace import KEYS, LedgerPlace, ledger_place
from router.config.settings import own_settings
from router.errors import FilesError
from router.files.newfiles import Access

OWN = "sources: {drop: {adapter: folder, path: inbox/}}\ndcc: {id: 90-B3-D5-1F-30-00-00-02}\n"
LEDGERS = (
    *("", "ledger: {}", "ledger:", "ledger: []", "ledger: x.db", "legder: {url: sqlite:///a.db}"),
    *("ledger: {url: sqlite:///a.db}", "ledger: {url: sqlite:////var/a.db, access: group}"),
    *("ledger: {access: owner}", "ledger: {access: all}", "ledger: {access: [owner]}"),
    *("ledger: {url: 17}", "ledger: {url: }", "ledger: {url: a.db}", "ledger: {urn: sqlite:///a}"),
    *("ledger: {url: 'sqlite:///${PLACE}'}", "ledger: {url: 'sqlite:///$${PLACE}'}"),
    *("ledger: {url: 'postgres://h/d'}", "ledger: {url: 'sqlite:///a?b'}", "ledger: {url: !x a}"),
    *('ledger: {url: "sqlite:///a\\tb"}', "ledger: {url: sqlite:///a.db, url: sqlite:///b.db}"),
    "ledger: &a {url: sqlite:///a.db}",
)


def told(read: object, file: Path) -> object:
    """What comes of it, in one word or another."""
    assert callable(read)
    try:
        found = read(file)
    except FilesError as error:
        return [str(problem) for problem in error.problems]
    return found if isinstance(found, LedgerPlace) else LedgerPlace(found.url, found.access)


@pytest.mark.parametrize("ledger", LEDGERS)
def test_the_ledger_is_the_same_at_a_glance_and_in_full(
    ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "/var/a.db")
    file = tmp_path / "hubherald.yaml"
    file.write_text(OWN + ledger)
    assert told(ledger_place, file) == told(lambda each: own_settings(each).ledger, file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_whatever_stands_in_the_url(tmp_path: Path, path: str) -> None:
    file = tmp_path / "hubherald.yaml"
    file.write_text(OWN + f"ledger: {{url: {json.dumps('sqlite:///' + path)}}}\n")
    assert told(ledger_place, file) == told(lambda each: own_settings(each).ledger, file)


def test_a_mistake_in_what_has_no_part_in_it_keeps_nobody_from_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "hubherald.yaml"
    file.write_text(OWN.replace("path: inbox/", "paht: inbox/") + "watch: perhaps\n")
    assert ledger_place(file) == LedgerPlace(f"sqlite:///{tmp_path}/hubherald.db", Access.OWNER)


@pytest.mark.parametrize("text", ["", "dcc: 1", OWN + "ledgers: {}", OWN + "  : :"])
def test_a_file_that_may_mean_another_ledger_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "hubherald.yaml"
    file.write_text(text)
    with pytest.raises(FilesError):
        ledger_place(file)


def test_its_keys_are_those_of_the_file() -> None:
    assert set(ConfigFile.model_fields) == KEYS
