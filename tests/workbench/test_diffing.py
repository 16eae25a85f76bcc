"""Facts of the past decided again: only what the rules alone would change, and all of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from support.commandline import call, row
from support.estate import D1, EXPORT, HUB, ROOT, S1, S2, S3, SUPPLIER, Estate, mpan

from router.domain.timestamps import moment as shown
from router.errors import LedgerError
from router.workbench.pastusers import users_of

pytestmark = pytest.mark.once

GAS = '      - recipient.role == "gas_supplier"\n'


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    """A split home and a dual-fuel one, three versions each, one of which failed."""
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.copytree(ROOT / "rules", tmp_path / "edited")
    estate.configure(Path("rules"))
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.user(D1, ["electricity_distributor"], subscriptions=["firmware"])
    other = f"{HUB[:-1]}2"
    estate.hub(model="Alpha")
    estate.hub(other, model="Beta")
    estate.registration("import_mpan", S1, network_operator_id=D1)
    estate.registration("mprn", S2)
    estate.registration("import_mpan", S1, device_id=other, mpxn=mpan("101234567891"))
    estate.registration("mprn", S1, device_id=other, mpxn="123456707")
    for hub in (HUB, other):
        for version in ("V1", "V2"):
            estate.activation(version, device_id=hub)
        estate.activation("V3", device_id=hub, outcome="failure")
    estate.run()
    return estate


def edit(estate: Estate, old: str, new: str, file: str = "alerts.yaml") -> None:
    place = estate.folder / "edited" / file
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def diff(estate: Estate, since: str = "7d") -> list[tuple[str, str, str, str, int]]:
    """(change, user, rule, instead, Alerts) of each row."""
    found = row("diff", estate.folder / "edited", "--since", since, folder=estate.folder)["changes"]
    assert {each["alert_code"] for each in found} <= {"N64", "N99"}
    return [
        (each["change"], each["service_user_id"], each["rule"], each["instead"], each["alerts"])
        for each in found
    ]


def test_the_rules_that_decided_change_nothing(estate: Estate) -> None:
    assert diff(estate) == []
    said = call("diff", estate.folder / "edited", folder=estate.folder).stdout
    assert said == "6 activations decided again: 0 Alerts more, 0 fewer, 8 the same\n"


def test_what_changed_since_besides_the_rules_is_no_difference(estate: Estate) -> None:
    estate.users[0]["roles"] = ["gas_supplier"]
    estate.users[2]["subscriptions"] = []
    estate.users.pop(1)
    estate.write_users()
    estate.hub(time="2026-02-01T00:00:00Z", status="Decommissioned", model="Gamma")
    estate.registration("import_mpan", S3, since="2020-02-02")
    estate.run()
    assert diff(estate) == []


def test_a_rule_that_is_taken_out_loses_what_it_alone_had_caused(estate: Estate) -> None:
    edit(estate, GAS, '      - recipient.role == "gas_supplier"\n      - hub.model == "None"\n')
    # the dual-fuel home is still told, for its electricity
    assert diff(estate) == [("loses", S2, "alert-gas-supplier", "no rule", 2)]
    said = call("diff", estate.folder / "edited", folder=estate.folder).stdout
    assert "0 Alerts more, 2 fewer, 6 the same (2 of them by another rule or role)" in said
    caused = estate.ask(
        "SELECT party_id FROM decisions WHERE rule = 'alert-gas-supplier' AND NOT EXISTS"
        " (SELECT 1 FROM decisions o WHERE o.fact_id = decisions.fact_id"
        "  AND o.party_id = decisions.party_id AND o.rule != decisions.rule)"
    )
    assert Counter(caused) == {(S2,): 2}


def test_each_alert_can_be_listed_with_its_hub_and_version(estate: Estate) -> None:
    edit(estate, GAS, '      - recipient.role == "gas_transporter"\n')
    words = ("diff", estate.folder / "edited", "--each")
    listed = row(*words, "9", folder=estate.folder)["changes"]
    told = estate.ask(
        "SELECT party_id, json_extract(body, '$.data.device_id'),"
        " json_extract(body, '$.data.firmware_version'), decided_at FROM decisions"
        " JOIN facts ON facts.id = decisions.fact_id JOIN evaluations USING (fact_id)"
        " WHERE decisions.rule = 'alert-gas-supplier' AND party_id = '" + S2 + "'"
        " ORDER BY fact_id DESC"
    )
    assert len(listed) == len(told) == 2
    for each, (user, hub, version, moment) in zip(listed, told, strict=True):
        assert (each["change"], each["service_user_id"]) == ("loses", user)
        assert (each["device_id"], each["firmware_version"]) == (hub, version)
        assert datetime.fromisoformat(each["decided_at"]) == shown(moment)
    short = call(*words, "1", folder=estate.folder)
    assert short.stdout.count("V2") == 1
    assert "V1" not in short.stdout
    assert "6 activations decided again: 0 Alerts more, 2 fewer" in short.stdout
    assert short.stderr == "1 more: see --each\n"


def test_a_rule_that_is_put_in_gains_and_says_what_was_there_instead(estate: Estate) -> None:
    (estate.folder / "edited" / "more.yaml").write_text(
        'rules:\n  - name: held-back\n    when:\n      - hub.model == "Beta"\n'
        "    suppress: a trial\n"
    )
    suppressions = estate.folder / "edited" / "suppressions.yaml"
    kept = suppressions.read_text().partition("  - name: smets1-has-its-own-alert")
    suppressions.write_text("rules:\n" + kept[1] + kept[2])
    edit(estate, '      - activation.outcome == "success"\n', "")
    assert diff(estate) == [
        ("gains", S1, "alert-import-supplier", "suppressed by failed-activation", 1),
        ("loses", S1, "alert-gas-supplier, alert-import-supplier", "suppressed by held-back", 2),
        ("gains", S2, "alert-gas-supplier", "suppressed by failed-activation", 1),
        ("gains", D1, "alert-network-operators", "suppressed by failed-activation", 1),
    ]


def test_another_code_is_one_alert_lost_and_one_gained(estate: Estate) -> None:
    text = (estate.folder / "edited" / "alerts.yaml").read_text()
    before, rule, after = text.partition("  - name: alert-gas-supplier")
    (estate.folder / "edited" / "alerts.yaml").write_text(
        before + rule + after.replace("alert: N64", "alert: N99", 1)
    )
    found = Counter({each[:2]: 0 for each in diff(estate)})
    for change, user, _, _, alerts in diff(estate):
        found[change, user] += alerts
    assert found == {("gains", S1): 2, ("gains", S2): 2, ("loses", S2): 2}


def test_only_what_was_decided_since_is_looked_at(estate: Estate) -> None:
    edit(estate, GAS, '      - recipient.role == "gas_transporter"\n')
    assert diff(estate, "1h") != []
    assert diff(estate, "2100-01-01") == []


def test_nothing_is_written(estate: Estate) -> None:
    before = estate.ask("SELECT count(*), max(id) FROM links")
    edit(estate, GAS, '      - recipient.role == "gas_transporter"\n')
    diff(estate)
    assert estate.ask("SELECT count(*), max(id) FROM links") == before
    assert estate.ask("SELECT count(*) FROM documents WHERE kind = 'rules'") == [(1,)]


def test_mistakes_in_the_edited_rules_are_told_with_their_place(estate: Estate) -> None:
    edit(estate, GAS, '      - recipient.roll == "gas_supplier"\n')
    done = call("diff", estate.folder / "edited", folder=estate.folder)
    assert done.exit_code == 1
    assert "did you mean 'recipient.role'?" in done.stderr
    assert "edited/alerts.yaml:" in done.stderr
    told = call("diff", estate.folder / "edited", "-o", "json", folder=estate.folder)
    assert told.exit_code == 1
    (row,) = json.loads(told.stdout)
    assert (row["code"], row["file"]) == (
        "unknown-field",
        str(estate.folder / "edited/alerts.yaml"),
    )


def test_users_of_then_are_read_with_the_environment_of_now(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBSCRIBED", "firmware")
    estate.users[2]["subscriptions"] = ["${SUBSCRIBED}"]
    estate.write_users()
    estate.activation("V4")
    estate.run()
    assert diff(estate) == []
    monkeypatch.delenv("SUBSCRIBED")
    done = call("diff", estate.folder / "edited", folder=estate.folder)
    assert done.exit_code == 1
    assert "${SUBSCRIBED} is not set" in done.stderr


def test_an_activation_that_nobody_was_told_of_is_decided_again_too(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "edited")
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("export_mpan", S2, mpxn=EXPORT)
    estate.activation()
    estate.activation(id="again")  # the same under another id
    estate.run()
    assert diff(estate) == []


SECRETS = """
service_users:
  - id: {S1}
    name: "*Acme* -- ** Energy"
    roles: [gas_supplier]
    channels:
      - {{adapter: webhook, url: "http://127.0.0.1:9/", secret: whsec_{key}}}
      - adapter: webhook
        name: second
        url: http://127.0.0.1:9/
        secret: "whsec_{key}"
      - adapter: webhook
        name: third
        url: http://127.0.0.1:9/
        secret: >-
          whsec_{key}
  - {{id: {S2}, name: Borealis, roles: [gas_supplier], channels: [{{adapter: log}}]}}
"""


def test_users_of_then_are_read_though_their_secrets_are_covered(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "edited")
    file = tmp_path / "service_users.yaml"
    key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
    file.write_text(SECRETS.format(S1=S1, S2=S2, key=key))
    estate.hub()
    estate.registration("mprn", S2)
    estate.activation()
    estate.run()
    ((kept,),) = estate.ask("SELECT content FROM documents WHERE kind = 'users'")
    assert key not in kept
    digest = hashlib.sha256(kept.encode()).hexdigest()
    found = users_of(kept, digest)
    assert [each.name for each in found.values()] == ["*Acme* -- ** Energy", "Borealis"]
    assert diff(estate) == []


def test_users_of_then_that_can_not_be_read_are_one_line() -> None:
    with pytest.raises(LedgerError, match=r"can't be read any more: service users 0{12} of the"):
        users_of("service_users: [", "0" * 64)
