"""Text from outside at the terminal's edge: nothing in it moves the cursor or hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from support.commandline import call
from support.estate import S1, SUPPLIER, Estate

from router.cli.printing import as_table, line

ESC = "no\x1b[31m\u202e"
SHOWN = r"no\x1b[31m\u202e"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    return estate


def harmless(result: Result, *, lines: int | None = None) -> str:
    """What was printed: all of it can be seen, in so many lines."""
    shown = result.stdout + result.stderr
    for each in shown.split("\n"):
        assert each.isprintable(), each
    if lines is not None:
        assert len(shown.splitlines()) == lines, shown
    return shown


def channel(estate: Estate, options: str) -> None:
    """The one user on a webhook with these options, as somebody typed them."""
    (estate.folder / "service_users.yaml").write_text(
        f"service_users: [{{id: {S1}, name: User, roles: [gas_supplier], channels: [\n"
        f'  {{adapter: webhook, url: "https://a.example/", {options}}}\n]}}]\n',
        encoding="utf-8",
    )


def test_the_name_of_a_secret_s_file(estate: Estate) -> None:
    channel(estate, r'secret_file: "no\e[31m\u202e.key"')
    shown = harmless(call("check", folder=estate.folder))
    assert "secret_file: FILE cannot be read: No such file" in shown
    assert ".key" not in shown


@pytest.mark.parametrize("apart", ["\n", "\u2028", "\x85"], ids=["LF", "U+2028", "NEL"])
def test_a_value_of_several_lines_is_quoted_in_one(estate: Estate, apart: str) -> None:
    channel(estate, f'secret_file: k, batch: "one{apart}  two"')
    shown = harmless(call("check", folder=estate.folder))
    told = json.loads(call("check", "-o", "json", folder=estate.folder).stdout)
    (batch,) = [row["message"] for row in told if row["message"].startswith("batch: ")]
    assert batch.isprintable()
    assert f"wrong-type {batch}\n" in shown


def test_the_header_of_a_sheet(estate: Estate) -> None:
    sheet = estate.folder / f"{ESC}.csv"
    sheet.write_text(f"device_id,status,smets_version,{ESC}\u2028,secret: hidden\n", "utf-8")
    result = call("inventory", "import", "--hubs", sheet, folder=estate.folder)
    shown = harmless(result, lines=8)  # the first of them: a new, empty ledger
    assert result.exit_code == 1
    assert f"{SHOWN}.csv:1:32: unknown-key column '{SHOWN}" in shown
    assert "\n    device_id,status,smets_version,no?[31m??,secret: ******\n" in shown


def test_a_row_of_a_sheet(estate: Estate) -> None:
    sheet = estate.folder / f"{ESC}.csv"
    sheet.write_text(f"device_id,status,smets_version\n{ESC},Commissioned,SMETS2\n", "utf-8")
    shown = harmless(call("inventory", "import", "--hubs", sheet, folder=estate.folder))
    assert f"{SHOWN}.csv:2: device_id '{SHOWN}': holds control or invisible characters" in shown


def test_the_name_of_a_file_that_can_not_be_read(estate: Estate) -> None:
    shown = harmless(call("--config", estate.folder / f"{ESC}.yaml", "check"), lines=2)
    assert f"{SHOWN}.yaml:1:1: file there is no such file" in shown


def test_the_name_of_a_file_that_can_not_be_written(estate: Estate) -> None:
    result = call("test", "--junit", estate.folder / ESC / "x.xml", folder=estate.folder)
    assert result.exit_code == 1
    assert f"error: {estate.folder}/{SHOWN}/x.xml: No such file" in harmless(result, lines=1)


def test_an_argument_that_is_refused() -> None:
    assert SHOWN in harmless(call("explain", ESC))
    assert SHOWN in harmless(call("inventory", "import", "--hubs", ESC))


def test_a_folder_without_tests(estate: Estate) -> None:
    (estate.folder / ESC).mkdir()
    result = call("test", estate.folder / ESC, folder=estate.folder)
    assert f"no tests in {estate.folder}/{SHOWN} (" in harmless(result)


def test_cells_of_a_table_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    as_table([{"id": ESC, "said": "two\nlines"}], ("id", "said"), nothing="")
    line(ESC)
    header, row, below = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "said"]
    assert row.split() == [SHOWN, r"two\nlines"]
    assert below == SHOWN


def test_the_body_of_a_fact(estate: Estate) -> None:
    estate.line(f'{{"id": "{ESC}"}}'.encode())
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    harmless(call("quarantine", "list", folder=estate.folder))
    assert SHOWN in harmless(call("quarantine", "show", "1", folder=estate.folder))


def test_the_name_of_a_file_of_facts(estate: Estate) -> None:
    (estate.folder / "hubherald.yaml").write_text("sources: {}\n")
    facts = estate.folder / f"{ESC}.jsonl"
    shown = harmless(call("publish", facts, folder=estate.folder))
    assert f"{SHOWN}.jsonl can't be read: No such file" in shown
