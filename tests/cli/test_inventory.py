"""`hubherald inventory`: meter points in any spelling, numbers that do not check, and last days."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from support.commandline import call, row, rows
from support.estate import GAS, HUB, S1, S2, SUPPLIER, Estate
from support.loader import HUBS, REGISTRATIONS, lines

from router.cli.cautions import TOLD

PLAIN, UNCHECKED = "12345601", "1234567890"
WORDS = "the MPRN's check digits (last two) do not fit; look for a typing error"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    return estate


def refuse(estate: Estate) -> None:
    """What hubherald.yaml says then."""
    file = estate.folder / "hubherald.yaml"
    file.write_text(
        json.dumps({**json.loads(file.read_text()), "facts": {"check_digits": "refuse"}})
    )


def load(estate: Estate, *registrations: str) -> Result:
    hubs, file = estate.folder / "hubs.csv", estate.folder / "registrations.csv"
    hubs.write_text(lines(HUBS, f"{HUB},Commissioned,SMETS2,,,,,"))
    file.write_text(lines(REGISTRATIONS, *registrations))
    words = ["inventory", "import", "--hubs", hubs, "--registrations", file]
    return call(*words, folder=estate.folder)


def new_ledger(estate: Estate) -> str:
    """What the first command on an estate says."""
    return f"a new, empty ledger: {estate.folder}/hubherald.db\n"


def test_only_the_present_supplier_is_told_whatever_the_spelling(estate: Estate) -> None:
    spelt = [f"00{PLAIN},mprn,{S1},,2020-04-01,", f"{PLAIN},mprn,{S2},,2025-04-01,"]
    done = load(estate, *(f"{HUB},{each}" for each in spelt))
    assert (done.exit_code, done.stderr) == (0, new_ledger(estate))
    registered = row("inventory", "show", HUB, folder=estate.folder)["registrations"]
    assert [each["mpxn"] for each in registered] == [PLAIN] * 2
    assert [each["in_effect"] for each in registered] == [False, True]
    estate.activation()
    estate.run()
    assert estate.told() == {S2: ["gas_supplier"]}


def test_a_number_that_does_not_check_is_loaded_told_and_counted(estate: Estate) -> None:
    done = load(estate, f"{HUB},{UNCHECKED},mprn,{S1},,2020-01-01,")
    assert done.exit_code == 0
    told = f"{estate.folder}/registrations.csv:2: warning: {WORDS}\n"
    assert done.stderr == new_ledger(estate) + told
    assert done.stdout == "loaded: 1 hub, 1 registration, 1 of them with wrong check digits\n"
    estate.activation()
    estate.run()
    assert estate.told() == {S1: ["gas_supplier"]}


def test_warnings_of_a_whole_file_are_told_in_part(estate: Estate) -> None:
    many = [f"{HUB},{10**9 + 100 * number + 99},mprn,{S1},,2020-01-01," for number in range(1_030)]
    done = load(estate, *many, f"{HUB},18,mprn,{S1},,2020-01-01,")
    assert done.exit_code == 1
    told = done.stderr.removeprefix(new_ledger(estate)).splitlines()
    assert len(told) == TOLD + 2
    assert told[TOLD].endswith("an MPRN has 6 to 11 digits, leading zeros counted")
    assert told[TOLD + 1] == "warning: 1,010 more lines like these, not told"
    assert done.stdout == (
        "loaded: 1 hub, 1,030 registrations, 1,030 of them with wrong check digits; 1 bad row left"
        " out\n"
    )


def test_a_number_that_does_not_check_is_a_bad_row_where_the_configuration_says_so(
    estate: Estate,
) -> None:
    refuse(estate)
    good = f"{HUB},{GAS},mprn,{S1},,2020-01-01,"
    done = load(estate, good, f"{HUB},{UNCHECKED},mprn,{S1},,2020-01-01,")
    assert done.exit_code == 1
    told = f"{estate.folder}/registrations.csv:3: mpxn '{UNCHECKED}': {WORDS}\n"
    assert done.stderr == new_ledger(estate) + told
    assert done.stdout == "loaded: 1 hub, 1 registration; 1 bad row left out\n"


@pytest.mark.parametrize("refused", [False, True])
def test_a_fact_with_such_a_number_is_routed_or_quarantined(estate: Estate, refused: bool) -> None:
    if refused:
        refuse(estate)
    estate.hub()
    estate.registration("mprn", S1, mpxn=UNCHECKED)
    estate.registration("import_mpan", S2)
    estate.activation()
    estate.run()
    heard = {S2: ["import_supplier"]}
    assert estate.told() == (heard if refused else {S1: ["gas_supplier"], **heard})
    waiting = rows("quarantine", "list", folder=estate.folder)
    said = [(row["reason"], row["detail"]) for row in waiting]
    assert said == ([("invalid", f"data: {WORDS}")] if refused else [])


def test_the_first_day_no_longer_in_effect_is_called_that(estate: Estate) -> None:
    load(estate, f"{HUB},{GAS},mprn,{S1},,2020-04-01,2025-04-01")
    said = "from 2020-04-01 until 2025-04-01 (first day no longer in effect)"
    for day, holds in (("2025-03-31", "in effect"), ("2025-04-01", "not in effect")):
        shown = call("inventory", "show", HUB, "--at", day, folder=estate.folder)
        assert f"{said}, {holds}: supplier {S1}" in shown.stdout
    for words in (["inventory", "import"], ["inventory", "show"]):
        told = " ".join(call(*words, "--help").stdout.split())
        assert "effective_to is the first day NO LONGER in effect" in told
