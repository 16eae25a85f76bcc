"""`hubherald explain`: decided without sending."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import call, rows
from estate import HUB, S1, S2, SUPPLIER, Estate


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.user(S2, ["gas_supplier"])
    return estate


def activation(estate: Estate, **more: object) -> bytes:
    """The last fact of the inbox after an activation was written there."""
    estate.activation(**more)
    return (estate.folder / "inbox" / "facts.jsonl").read_bytes().splitlines()[-1]


def test_explain_says_which_rule_and_which_condition_failed(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", "90-B3-D5-1F-30-01-00-77")
    estate.run()
    fact = activation(estate)
    result = call("explain", "-", folder=estate.folder, given=fact)
    assert result.exit_code == 0
    text = result.stdout
    assert f"{S1} as import_supplier: alerted by rule alert-import-supplier, Alert N64" in text
    assert "90-B3-D5-1F-30-01-00-77 as gas_supplier: no eligible user: not a Service User" in text
    assert '"export_supplier": fails, recipient.role is "import_supplier"' in text
    file = estate.folder / "fact.json"
    file.write_bytes(fact)
    told = rows("explain", file, folder=estate.folder)
    verdicts = {(row["role"], row["verdict"]) for row in told if row["kind"] == "decision"}
    assert verdicts == {("import_supplier", "alerted"), ("gas_supplier", "no_eligible_user")}
    failed = [row for row in told if row["kind"] == "condition"]
    assert all(row["held"] is False for row in failed)
    assert estate.verdicts() == []


def test_explain_knows_what_the_ledger_has_decided(estate: Estate) -> None:
    estate.hub()
    fact = activation(estate)
    estate.run()
    text = call("explain", "-", folder=estate.folder, given=fact).stdout
    assert f"the ledger has this fact: see `hubherald why --hub {HUB}`" in text
    assert "nobody: no recipient: nobody is registered for the hub" in text


def test_explain_says_what_it_cannot_decide(estate: Estate) -> None:
    fact = activation(estate)
    no_ledger = call("explain", "-", folder=estate.folder, given=fact)
    assert no_ledger.exit_code == 1
    assert "there is no ledger" in no_ledger.stderr
    estate.run()
    unknown = call("explain", "-", folder=estate.folder, given=fact)
    assert unknown.exit_code == 1
    assert f"error: hub {HUB} is not in the inventory" in unknown.stderr
    malformed = call("explain", "-", folder=estate.folder, given=b"{")
    assert malformed.exit_code == 1
    assert "malformed: not JSON" in malformed.stderr
    estate.hub()
    hub = (estate.folder / "inbox" / "facts.jsonl").read_bytes().splitlines()[-1]
    inventory = call("explain", "-", folder=estate.folder, given=hub)
    assert inventory.exit_code == 1
    assert "changes the inventory; nothing is decided" in inventory.stderr
