"""The acceptance scenarios of SECMP0024, through the files and names that operators use.

Base of each: a commissioned SMETS2 hub, a successful activation, the shipped rules. Scenario 9
(an older DUIS version) is about the decision only: the alert code stays the rule's.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commandline import start
from support.estate import ACTIVATED, D1, HUB, ROOT, S1, S2, S3, S4, SUPPLIER, Estate
from support.listener import Listener

from router.ports.alerts import alert_id


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def without_rule(estate: Estate, name: str) -> None:
    """The shipped rules, less one, as an operator would edit them."""
    rules = estate.folder / "rules"
    shutil.copytree(ROOT / "rules", rules)
    found = False
    for file in rules.rglob("*.yaml"):
        blocks = file.read_text().split("\n  - name: ")
        kept = [block for block in blocks if not block.startswith(name)]
        found = found or len(kept) < len(blocks)
        file.write_text("\n  - name: ".join(kept))
    assert found, f"no shipped rule {name}"
    estate.configure(rules)


def test_01_dual_fuel_from_one_supplier_gives_one_alert_for_both_roles(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S1)
    estate.activation("9002")
    estate.run()
    (event,) = estate.sent(S1)
    data = event["data"]
    assert data["roles"] == ["gas_supplier", "import_supplier"]
    assert data["alert_code"] == "N64"
    assert (data["device_id"], data["firmware_version"]) == (HUB, "9002")
    assert event["id"] == str(alert_id("dsp", "f4", S1, "N64"))
    assert set(data["rules"]) == {"gas_supplier", "import_supplier"}


def test_02_split_suppliers_get_one_each_that_differ_in_user_and_counter(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    estate.run()
    assert estate.told() == {S1: ["import_supplier"], S2: ["gas_supplier"]}
    one, two = estate.sent(S1)[0]["data"], estate.sent(S2)[0]["data"]
    differing = {key for key in one if one[key] != two[key]}
    assert differing <= {"service_user_id", "sequence", "roles", "rules"}


def test_03_a_user_id_for_each_role_gets_an_alert_each(estate: Estate) -> None:
    estate.user(S1, ["import_supplier"])
    estate.user(S2, ["gas_supplier"])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    estate.run()
    assert estate.told() == {S1: ["import_supplier"], S2: ["gas_supplier"]}


@pytest.mark.parametrize("export_rule", [True, False])
def test_04_the_exporting_supplier_hears_as_long_as_its_rule_is_there(
    estate: Estate, export_rule: bool
) -> None:
    if not export_rule:
        without_rule(estate, "alert-export-supplier")
    estate.user(S1, SUPPLIER)
    estate.user(S3, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("export_mpan", S3)
    estate.activation()
    estate.run()
    expected = {S1: ["import_supplier"]} | ({S3: ["export_supplier"]} if export_rule else {})
    assert estate.told() == expected
    if not export_rule:
        assert (S3, "export_supplier", "no_rule") in estate.verdicts()


@pytest.mark.parametrize("export_rule", [True, False])
def test_05_export_only_makes_its_supplier_the_import_supplier(
    estate: Estate, export_rule: bool
) -> None:
    if not export_rule:
        without_rule(estate, "alert-export-supplier")
    estate.user(S3, SUPPLIER)
    estate.hub()
    estate.registration("export_mpan", S3)
    estate.activation()
    estate.run()
    assert estate.told() == {S3: ["import_supplier"]}


@pytest.mark.parametrize("subscribed", [True, False])
def test_06_the_distributor_hears_only_if_it_subscribed(estate: Estate, subscribed: bool) -> None:
    estate.user(S1, SUPPLIER)
    words = ["firmware"] if subscribed else ["tariffs"]
    estate.user(D1, ["electricity_distributor"], subscriptions=words)
    estate.hub()
    estate.registration("import_mpan", S1, network_operator_id=D1)
    estate.activation()
    estate.run()
    operator = {D1: ["electricity_distributor"]} if subscribed else {}
    assert estate.told() == {S1: ["import_supplier"]} | operator


def test_07_responsibility_is_read_when_it_is_decided(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.user(S4, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1, effective_to="2026-06-02")
    estate.registration("import_mpan", S4, since="2026-06-02")
    estate.activation(activated_at="2026-06-01T23:59:00+01:00")
    estate.run(now=datetime.fromisoformat("2026-06-02T00:01:00+01:00"))
    assert estate.told() == {S4: ["import_supplier"]}
    moments = (
        "SELECT f.activated_at, e.decided_at FROM facts f JOIN evaluations e ON f.id=e.fact_id"
    )
    ((activated, decided),) = estate.ask(moments)
    assert decided - activated == 120 * 1_000_000


def test_08_a_supplier_that_is_no_user_is_recorded_and_nothing_is_retried(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    estate.run()
    assert estate.told() == {S1: ["import_supplier"]}
    assert (S2, "gas_supplier", "no_eligible_user") in estate.verdicts()
    assert estate.ask("SELECT count(*) FROM attempts") == [(1,)]


def test_09_an_older_duis_version_changes_nothing_in_the_decision(estate: Estate) -> None:
    estate.user(S1, SUPPLIER, duis_version="5.0")
    estate.user(S2, SUPPLIER, duis_version="5.4")
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    estate.run()
    codes = {event["data"]["alert_code"] for event in estate.sent(S1) + estate.sent(S2)}
    assert codes == {"N64"}


def test_10_the_same_fact_three_times_gives_one_alert(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation(id="again")
    estate.activation(id="again")
    estate.run()
    estate.activation(id="again")
    estate.run()
    assert estate.told() == {S1: ["import_supplier"]}
    assert estate.ask("SELECT count(*) FROM facts WHERE event_id='again'") == [(1,)]


def test_10_a_lost_acknowledgement_resends_identical_bytes(estate: Estate) -> None:
    with Listener(drop_first=True) as listener:
        estate.user(S1, SUPPLIER, channels=[{"adapter": "webhook", "url": listener.url}])
        estate.hub()
        estate.registration("import_mpan", S1)
        estate.activation()
        estate.run()
        assert len(listener.bodies) == 2
        assert listener.bodies[0] == listener.bodies[1]
        assert listener.ids[0] == listener.ids[1]


def test_11_an_older_activation_alerts_too_but_the_newer_version_stays(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation("V2", activated_at="2026-06-01T10:00:00Z")
    estate.activation("V1", activated_at="2026-06-01T09:00:00Z")
    estate.run()
    versions = [event["data"]["firmware_version"] for event in estate.sent(S1)]
    assert versions == ["V2", "V1"]
    assert estate.ask("SELECT version FROM firmware") == [("V2",)]


def test_12_a_failed_activation_is_recorded_and_alerts_nobody(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation(outcome="failure", failure_reason="image verification")
    estate.run()
    assert estate.told() == {}
    assert estate.verdicts() == [(S1, "import_supplier", "suppressed")]


def test_13_what_cannot_be_used_waits_and_an_unknown_hub_decides_itself(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.activation()
    estate.activation(device_id="90-B3-D5")
    estate.activation("123456789")
    estate.run()
    reasons = "SELECT reason FROM quarantined ORDER BY id"
    assert estate.ask(reasons) == [("unknown_hub",), ("invalid",), ("invalid",)]
    assert estate.told() == {}
    estate.registration("import_mpan", S1)
    estate.hub()
    estate.run()
    assert estate.told() == {S1: ["import_supplier"]}
    assert estate.ask("SELECT reason FROM holding ORDER BY 1") == [("invalid",), ("invalid",)]


def test_13_what_waited_for_a_hub_counts_for_the_activation_behind_it(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.registration("import_mpan", S1)
    estate.run()
    estate.activation("V0", activated_at="2026-06-01T09:00:00Z", id="early")
    estate.run()
    estate.activation("V0", activated_at="2026-06-01T09:00:00Z", id="early")  # a redelivery
    estate.activation("V1", activated_at="2026-06-01T10:00:00Z")
    estate.hub()
    estate.activation("V0", activated_at="2026-06-01T09:00:00Z", id="early")
    estate.activation("V2", activated_at="2026-06-01T11:00:00Z")
    estate.run()
    versions = [event["data"]["firmware_version"] for event in estate.sent(S1)]
    assert sorted(versions) == ["V0", "V1", "V2"]
    assert estate.ask("SELECT count(*) FROM holding") == [(0,)]


def test_13_a_registration_before_its_hub_in_one_file_counts_too(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.registration("import_mpan", S1)
    estate.hub()
    estate.activation()
    estate.run()
    assert estate.told() == {S1: ["import_supplier"]}
    assert estate.ask("SELECT count(*) FROM quarantined") == [(0,)]


def test_14_a_replaced_hub_is_silent_and_the_new_one_speaks(estate: Estate) -> None:
    new = "90-B3-D5-1F-30-00-10-02"
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.hub(time="2026-05-01T00:00:00Z", status="Decommissioned", replaced_by=new)
    estate.hub(new)
    estate.registration("import_mpan", S1, device_id=new)
    estate.activation()
    estate.activation(device_id=new)
    estate.run()
    assert [event["data"]["device_id"] for event in estate.sent(S1)] == [new]
    assert (S1, "import_supplier", "suppressed") in estate.verdicts()


def test_15_an_endpoint_that_is_down_holds_nobody_else_up(estate: Estate) -> None:
    with Listener(broken=True) as listener:
        channels = [{"adapter": "webhook", "url": listener.url, "window": 1}]
        estate.user(S1, SUPPLIER, channels=channels)
        estate.user(S2, SUPPLIER)
        estate.hub()
        estate.registration("import_mpan", S1)
        estate.registration("mprn", S2)
        for number in range(1, 6):
            estate.activation(f"V{number}", activated_at=f"2026-06-01T10:0{number}:00Z")
        with start("run", folder=estate.folder, stderr=subprocess.DEVNULL) as process:
            wait_for(lambda: len(estate.sent(S2)) == 5)
            wait_for(lambda: listener.refused > 0)
            delivered = "SELECT 1 FROM outcomes WHERE outcome='delivered'"
            wait_for(lambda: len(estate.ask(delivered)) == 5)  # a file stands before it is noted
            listener.broken = False
            # the retry comes within 300 s: after 5, or on a slow machine after 30 more
            wait_for(lambda: len(listener.bodies) == 5, 200)
            process.send_signal(signal.SIGTERM)
            assert process.wait(35) == 0
        assert listener.sequences() == [1, 2, 3, 4, 5]


def test_15_after_48_hours_it_is_parked(estate: Estate) -> None:
    estate.user(
        S1, SUPPLIER, channels=[{"adapter": "webhook", "url": "http://127.0.0.1:9/", "window": 1}]
    )
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    with start("run", folder=estate.folder, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: ledger_has(estate, "SELECT 1 FROM outcomes WHERE outcome='retry'"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(35) == 0
    estate.run(now=datetime.now(UTC) + timedelta(hours=49))
    assert estate.ask("SELECT state FROM deliveries") == [("parked",)]


def test_16_a_smets1_hub_never_gets_the_smets2_alert(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    estate.hub(smets_version="SMETS1")
    estate.registration("import_mpan", S1)
    estate.activation(activated_at=ACTIVATED)
    estate.run()
    assert estate.told() == {}
    assert estate.verdicts() == [(S1, "import_supplier", "suppressed")]


def wait_for(done: object, seconds: float = 60.0) -> None:
    """Wait for something to come true; the limit is there to fail, not to measure."""
    assert callable(done)
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.05)


def ledger_has(estate: Estate, question: str) -> bool:
    """Whether a running router has written something yet."""
    if not (estate.folder / "hubherald.db").exists():
        return False
    try:
        return bool(estate.ask(question))
    except Exception:  # the tables are not there yet
        return False
