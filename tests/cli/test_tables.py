"""Tables fit the terminal, nothing cut and no word broken: on real ones of 80 columns and less."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.commandline import call
from support.estate import HUB, S1, S2, SUPPLIER, Estate
from support.terminal import on_a_terminal

from router.cli.tables import GAP, fold, laid_out

pytestmark = pytest.mark.once

WORDS = (
    st.lists(st.text("ab-é漢", min_size=1, max_size=12), min_size=1, max_size=6)
    .map(" ".join)
    .filter(lambda cell: cell != "-")  # that one has nothing to tell, and may go
)
TABLES = st.integers(1, 5).flatmap(
    lambda n: st.lists(st.lists(WORDS, min_size=n, max_size=n), min_size=2, max_size=5)
)


@given(TABLES, st.integers(10, 120))
def test_a_table_fits_or_stands_in_blocks_and_no_word_is_broken(
    table: list[list[str]], width: int
) -> None:
    heads, *rows = table
    above, below = laid_out(heads, rows, width)
    words = {word for row in table for cell in row for word in cell.split(" ")}
    assert {word for line in (*above, *below) for word in line.split()} <= words
    told = " ".join(below).split()
    assert sorted(set(told) - words) == []
    assert {word for row in rows for cell in row for word in cell.split(" ")} <= {*told, "-"}
    if above:
        assert max(cell_len(line) for line in (*above, *below)) <= width
    else:
        longest = max(map(cell_len, words))
        indent = max(map(cell_len, heads)) + GAP
        assert max(map(cell_len, below)) <= indent + max(width - indent, longest)


def test_without_a_width_each_row_is_a_line() -> None:
    above, below = laid_out(["id", "said"], [["1", "a " * 99 + "b"], ["22", "-"]], None)
    assert above == ["id  said"]
    assert below == ["1   " + "a " * 99 + "b", "22  -"]


def test_what_has_nothing_to_tell_gives_way_first() -> None:
    above, _ = laid_out(["id", "empty column", "said"], [["1", "-", "all is well"]], 17)
    assert above == ["id  said"]


def test_a_long_word_stands_alone() -> None:
    assert fold("see 90-B3-D5-1F-30-02-00-01 there", 10) == [
        "see",
        "90-B3-D5-1F-30-02-00-01",
        "there",
    ]


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """Two users, one paused, with Alerts delivered and held, and a broken fact."""
    estate = Estate(tmp_path)
    for user in (S1, S2):
        estate.user(user, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.run()
    assert call("lanes", "pause", S2, folder=tmp_path).exit_code == 0
    estate.activation("9001")
    estate.line(b"this is no fact, and what is wrong with it takes more words than fit a line")
    estate.run()
    return estate


LISTS = [("lanes", "list"), ("alerts", "list"), ("quarantine", "list"), ("rollout",)]


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_list_fits_a_terminal(estate: Estate, words: tuple[str, ...], columns: int) -> None:
    said, wide = on_a_terminal(columns, words, [*words, "--wide"], folder=estate.folder)
    whole = set(wide.split())
    for line in said.splitlines():
        # an Alert's id alone is 36 cells, under a head
        assert len(line) <= columns or len(line.split()[-1]) > columns - 20
    assert set(said.split()) - {"-"} <= whole
    assert {S2, HUB} & whole <= set(said.split())
    piped = call(*words, folder=estate.folder).stdout
    assert [line.split() for line in piped.splitlines()] == [
        line.split() for line in wide.splitlines()
    ]
