"""The rules that were live: listed, shown, and written again as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commandline import call, row, rows
from support.estate import Estate
from support.liverouter import RULE, configure, one_supplier, running, write
from support.routed import NOW, ledger

from router.ledger.actions import Operator, system_user
from router.ledger.database import Use
from router.ledger.recorder import ROUTER

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """`first`, then `second`, then `first` again were live, each from a start on."""
    estate = one_supplier(tmp_path)
    (tmp_path / "rules" / "more").mkdir()
    (tmp_path / "rules" / "more" / "crlf.yaml").write_bytes(
        RULE.format(name="more").replace("\n", "  # caf\xe9\r\n").encode()
    )
    configure(estate)
    for name in ("first", "second", "first", "first"):
        write(estate, name)
        estate.run()
    return estate


def test_rules_that_were_live_are_listed_each_time(estate: Estate) -> None:
    newest, second, first = rows("rules", "list", folder=estate.folder)
    assert newest["digest"] == first["digest"] != second["digest"]
    assert (newest["until"], second["until"], first["until"]) == (
        None,
        newest["since"],
        second["since"],
    )
    assert {row["trigger"] for row in (newest, second, first)} == {"start"}
    text = call("rules", "list", folder=estate.folder).stdout.splitlines()
    assert text[0].split() == ["since", "until", "digest", "trigger", "by"]
    assert [row["action"] for row in rows("actions", "list", folder=estate.folder)] == ["start"]


def test_a_reload_says_who_made_them_live(tmp_path: Path) -> None:
    estate = one_supplier(tmp_path)
    with running(estate):
        write(estate, "second")
        assert call("reload", folder=tmp_path).exit_code == 0
        again = call("reload", folder=tmp_path)  # nothing has changed
        assert again.exit_code == 0, again.output
    second, first = rows("rules", "list", folder=tmp_path)
    assert (second["trigger"], first["trigger"]) == ("http", "start")
    assert second["by"] == system_user()
    done = rows("actions", "list", "--by", system_user(), "--action", "reload", folder=tmp_path)
    assert {row["operator"] for row in done} == {"router", system_user()}
    assert first["until"] == second["since"]


def test_they_are_shown_and_written_again_byte_for_byte(estate: Estate) -> None:
    newest, second, _ = rows("rules", "list", folder=estate.folder)
    shown = call("rules", "show", second["digest"][:8], folder=estate.folder).stdout
    assert f"# rules.yaml, of rules {second['digest']}" in shown
    assert "name: second" in shown
    files = row("rules", "show", newest["digest"], folder=estate.folder)["files"]
    assert [each["file"] for each in files] == ["more/crlf.yaml", "rules.yaml"]
    before = estate.folder / "before"
    done = call("rules", "restore", newest["digest"][:8], "--to", before, folder=estate.folder)
    assert done.stdout.startswith(f"written: 2 files of rules {newest['digest'][:12]} to {before}")
    for name in ("rules.yaml", "more/crlf.yaml"):
        assert (before / name).read_bytes() == (estate.folder / "rules" / name).read_bytes()


def test_nothing_is_written_over(estate: Estate) -> None:
    digest = rows("rules", "list", folder=estate.folder)[0]["digest"]
    words = ["rules", "restore", digest, "--to", estate.folder / "rules"]
    refused = call(*words, folder=estate.folder)
    assert (refused.exit_code, "is not empty; give a folder that is new" in refused.stderr) == (
        1,
        True,
    )
    unknown = call("rules", "show", "0000", folder=estate.folder)
    assert "no rules with digest 0000 were ever live; `hubherald rules list`" in unknown.stderr
    assert unknown.exit_code == 1
    wrong = call("rules", "show", "rules.yaml", folder=estate.folder)
    assert (wrong.exit_code, "'rules.yaml' is no digest" in wrong.stderr) == (2, True)


def test_a_person_who_is_named_router_may_ask_for_a_reload(estate: Estate) -> None:
    listed = rows("rules", "list", folder=estate.folder)
    with ledger(estate, Use.CHANGE) as database, database.transaction() as connection:
        Operator(ROUTER, NOW).record(connection, "reload", {"answer": "unchanged"})
    assert rows("rules", "list", folder=estate.folder) == listed
    estate.run()
