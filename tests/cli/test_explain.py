"""`hubherald explain`: decided without sending."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import HUB, ROOT, S1, S2, S4, SUPPLIER, Estate


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


@pytest.mark.parametrize(
    "wrap",
    [
        lambda fact: b"\xef\xbb\xbf" + fact,
        gzip.compress,
        lambda fact: b" [" + fact + b"]\n",
        lambda fact: gzip.compress(b"[" + fact + b"]"),
    ],
    ids=["marked", "compressed", "batch", "both"],
)
def test_a_fact_may_be_marked_or_wrapped(estate: Estate, wrap: Callable[[bytes], bytes]) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.run()
    result = call("explain", "-", folder=estate.folder, given=wrap(activation(estate)))
    assert result.exit_code == 0
    assert "\n1 Alert:\n" in result.stdout


def test_a_batch_of_several_is_told(estate: Estate) -> None:
    fact = activation(estate)
    result = call("explain", "-", folder=estate.folder, given=b"[" + fact + b"," + fact + b"]")
    assert result.exit_code == 1
    assert "malformed: a batch of 2 events, not one" in result.stderr


def test_explain_says_which_rule_and_which_condition_failed(estate: Estate) -> None:
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", "90-B3-D5-1F-30-01-00-77")
    estate.run()
    fact = activation(estate)
    result = call("explain", "-", folder=estate.folder, given=fact)
    assert result.exit_code == 0
    text = result.stdout
    assert "\n1 Alert:\n" + f"  N64 to {S1} (User 01) as import_supplier\n" in text
    who = f"{S1} (User 01) as import_supplier"
    assert f"\n{who}: alerted by rule alert-import-supplier, Alert N64\n" in text
    mine = text.partition(who)[2]
    assert mine.index("  + alert-import-supplier (alerts N64, decides)") < mine.index("  - alert-")
    assert "90-B3-D5-1F-30-01-00-77 as gas_supplier: no eligible user: not a Service User" in text
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert '+ recipient.role == "import_supplier" is "import_supplier"' in lines
    assert '- recipient.role == "export_supplier" is "import_supplier"' in lines
    assert "- hub.replaced_by exists is not known" in lines
    file = estate.folder / "fact.json"
    file.write_bytes(fact)
    told = rows("explain", file, folder=estate.folder)
    verdicts = {(row["role"], row["verdict"]) for row in told if row["kind"] == "decision"}
    assert verdicts == {("import_supplier", "alerted"), ("gas_supplier", "no_eligible_user")}
    assert [row["alert_code"] for row in told if row["kind"] == "alert"] == ["N64"]
    (decides,) = [row for row in told if row.get("decides")]
    assert (decides["rule"], decides["matched"]) == ("alert-import-supplier", True)
    of_rule = [
        (row["condition"], row["value"], row["held"])
        for row in told
        if row["kind"] == "condition" and row["rule"] == "alert-export-supplier"
    ]
    assert of_rule == [
        ('activation.outcome == "success"', "success", True),
        ('recipient.role == "export_supplier"', "import_supplier", False),
    ]
    assert estate.verdicts() == []


def test_explain_knows_what_the_ledger_has_decided(estate: Estate) -> None:
    estate.hub()
    estate.registration("mprn", S2)
    fact = activation(estate)
    estate.run()
    text = call("explain", "-", folder=estate.folder, given=fact).stdout
    assert f"note: the ledger has this fact; see `hubherald why --hub {HUB}`" in text
    again = activation(estate, id="another")
    text = call("explain", "-", folder=estate.folder, given=again).stdout
    assert "note: the ledger has this activation under another id; see" in text
    changed = activation(estate, version="9003", id="f2")
    text = call("explain", "-", folder=estate.folder, given=changed).stdout
    assert "note: the ledger has another fact of this id: this one would go to quarantine" in text


def test_explain_says_what_the_router_would_not_decide_now(estate: Estate) -> None:
    estate.hub()
    estate.run()
    text = call("explain", "-", folder=estate.folder, given=activation(estate)).stdout
    assert "note: the hub never had a registration: the fact would wait 1 d for the first" in text
    assert "nobody: no recipient: nobody is registered for the hub" in text
    early = activation(estate, activated_at="2099-01-01T00:00:00Z")
    text = call("explain", "-", folder=estate.folder, given=early).stdout
    assert "note: activated_at: 2099-01-01T00:00:00Z lies" in text


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


WHAT_IF = f"""\
given:
  hub: {{groups: [pilot], status: Pending}}
  registrations:
    - {{point: import_mpan, supplier_id: {S1}}}
    - {{point: mprn, supplier_id: {S4}}}
at: 2026-06-02T00:01:00+01:00
"""
USERS = f"  users: [{{id: {S4}, roles: [gas_supplier], status: suspended}}]\n"


def test_explain_needs_no_ledger_for_what_a_file_gives(estate: Estate) -> None:
    rules = estate.folder / "grouped"
    rules.mkdir()
    (rules / "grouped.yaml").write_text(GROUPED)
    estate.configure(rules)
    file = estate.folder / "what-if.yaml"
    file.write_text(WHAT_IF)
    text = call("explain", file, folder=estate.folder).stdout
    assert "decided at 2026-06-01T23:01:00Z" in text
    assert f"{S4} as gas_supplier: no eligible user: not a Service User" in text
    assert f"{S1} (User 01) as import_supplier: suppressed by rule quiet: asked for" in text
    assert f"  + quiet (suppresses, decides)  {rules}/grouped.yaml:2\n{TREE}\n" in text
    file.write_text(WHAT_IF.replace("at:", f"{USERS}at:"))
    (estate.folder / "service_users.yaml").unlink()
    text = call("explain", file, folder=estate.folder).stdout
    assert f"{S1} as import_supplier: no eligible user: not a Service User" in text
    assert f"{S4} (a Service User) as gas_supplier: alerted by rule all, Alert N65" in text
    assert "Alert N65; held, the user is suspended" in text
    assert not (estate.folder / "hubherald.db").exists()


GROUPED = """\
rules:
  - name: quiet
    when:
      - recipient.id startswith "90-B3-D5-1F-30-01-00-01"
      - not:
          - any:
              - hub.csp_region == "North"
              - hub.status == "Commissioned"
    suppress: asked for
  - name: all
    when:
      - hub.status exists
    alert: N65
"""
TREE = f"""\
      + recipient.id startswith "90-B3-D5-1F-30-01-00-01"  is "{S1}"
      + not:
          - any:
              - hub.csp_region == "North"                 is not known
              - hub.status == "Commissioned"              is "Pending\""""


def test_explain_takes_one_test_of_a_file(estate: Estate) -> None:
    file = ROOT / "rules" / "suppressions.test.yaml"
    several = call("explain", file, folder=estate.folder)
    assert several.exit_code == 2
    assert "has 7 tests; say which with --test NAME:\n" in several.stderr
    assert "\n  a pending hub is not announced\n" in several.stderr
    wrong = call("explain", file, "--test", "a pending hub is", folder=estate.folder)
    assert wrong.exit_code == 2
    assert "did you mean 'a pending hub is not announced'?" in wrong.stderr
    one = call("explain", file, "--test", "a pending hub is not announced", folder=estate.folder)
    assert "suppressed by rule hub-pending" in one.stdout
    assert "+ hub-pending (suppresses, decides)" in one.stdout
    name = "no rule alerts a failed activation"
    without = call(
        "explain", file.parent / "alerts.test.yaml", "--test", name, folder=estate.folder
    )
    assert f"{S1} (Acme Energy) as import_supplier: no rule\n" in without.stdout
    assert "failed-activation (" not in without.stdout
    fact = call("explain", "-", "--test", "x", folder=estate.folder, given=activation(estate))
    assert fact.exit_code == 2
    assert "--test is for files of tests; - is a fact" in fact.stderr


def test_explain_tells_mistakes_with_their_place(estate: Estate) -> None:
    file = estate.folder / "what-if.yaml"
    file.write_text("given:\n  hub: {group: [pilot]}\n")
    told = call("explain", file, folder=estate.folder)
    assert told.exit_code == 1
    assert f"{file}:2:9: " in told.stderr
    assert "'group' means nothing here; did you mean 'groups'?" in told.stderr
