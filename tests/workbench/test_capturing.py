"""Tests of rules from real decisions: each passes under the rules that decided."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from support.commandline import call, rows
from support.estate import HUB, IMPORT, ROOT, S1, S2, SUPPLIER, Estate, mpan
from support.fieldvalues import fields_of
from support.madeup import market, route

from router.domain.facts import Activation, Hub, Registration
from router.domain.users import ServiceUser
from router.domain.words import ActivationOutcome, HubStatus, Point, Role, SmetsVersion, UserStatus
from router.language.fields import FIELDS
from router.ledger.queries.history import Past
from router.workbench.capturing import test_of as text_of
from router.workbench.ruletests.given import Given, filled

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up market, routed."""
    folder = market(tmp_path_factory.mktemp("routed") / "estate", seed=4)
    route(folder)
    return folder


def one_of_each_fact(folder: Path) -> Iterable[str]:
    """The ids of Alerts, one for each activation that made any."""
    listed = rows("alerts", "list", "--limit", "100000", folder=folder)
    return {
        (each["device_id"], each["decided_at"], each["firmware_version"]): each["id"]
        for each in listed
    }.values()


def test_every_captured_test_passes_under_the_rules_that_decided(routed: Path) -> None:
    wanted = list(one_of_each_fact(routed))
    assert len(wanted) > 50
    for alert in wanted:
        done = call("capture", alert, folder=routed)
        assert done.exit_code == 0, done.output
    captured = routed / "rules" / "captured"
    assert len(list(captured.iterdir())) == len(wanted)
    done = call("test", captured, folder=routed)
    assert done.exit_code == 0, done.output
    assert f"{len(wanted)} tests passed" in done.output


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    estate.configure(Path("rules"))
    estate.user(S1, SUPPLIER, name='"Acme": #1', duis_version="5.10")
    estate.user(S2, SUPPLIER)
    estate.hub(hardware_version="1.10", model="no", groups=["pilot", "123", "true"])
    estate.registration("import_mpan", S1)
    return estate


def captured(estate: Estate) -> str:
    (alert, *_) = rows("alerts", "list", folder=estate.folder)
    done = call("capture", alert["id"], "-", folder=estate.folder)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_says_where_it_comes_from_and_what_was_decided(estate: Estate) -> None:
    estate.registration("mprn", S2)
    estate.activation("01020304")
    estate.run()
    text = captured(estate)
    ((digest,),) = estate.ask("SELECT rules_digest FROM evaluations")
    assert text.startswith("# From Alert ")
    assert digest in text.partition("tests:")[0]
    assert 'firmware_version: "01020304"' in text
    assert 'duis_version: "5.10"' in text


def test_meter_points_stay_where_they_are_unless_they_tell_two_apart(estate: Estate) -> None:
    estate.activation("V1")
    estate.run()
    assert "mpxn" not in captured(estate)
    estate.registration("import_mpan", S2, mpxn=mpan("101234567899"))
    estate.activation("V2")
    estate.run()
    text = captured(estate)
    assert text.count("mpxn:") == 2
    (estate.folder / "rules" / "two.test.yaml").write_text(text)
    done = call("test", estate.folder / "rules" / "two.test.yaml", folder=estate.folder)
    assert done.exit_code == 0, done.output


def test_numbers_that_are_padded_or_do_not_check_can_be_captured(estate: Estate) -> None:
    for number in ("00000012304", "1234567890"):
        estate.registration("mprn", S2, mpxn=number)
    estate.activation("V1")
    estate.run()
    text = captured(estate)
    assert 'mpxn: "012304"' in text
    (estate.folder / "rules" / "odd.test.yaml").write_text(text)
    done = call("test", estate.folder / "rules" / "odd.test.yaml", folder=estate.folder)
    assert done.exit_code == 0, done.output


def test_a_file_that_is_there_is_not_touched(estate: Estate) -> None:
    estate.activation()
    estate.run()
    (alert,) = rows("alerts", "list", folder=estate.folder)
    first = call("capture", alert["id"], folder=estate.folder)
    assert first.exit_code == 0
    file = estate.folder / "rules" / "captured" / f"{alert['id']}.test.yaml"
    assert str(file) in first.stdout
    before = file.read_text()
    again = call("capture", alert["id"], folder=estate.folder)
    assert again.exit_code == 1
    assert "is there already; name another file" in again.stderr
    assert file.read_text() == before
    misnamed = call(
        "capture", alert["id"], estate.folder / "rules" / "a.yaml", folder=estate.folder
    )
    assert misnamed.exit_code == 2
    assert "the name of a file of tests ends in .test.yaml" in misnamed.stderr
    other = estate.folder / "elsewhere" / "mine.test.yaml"
    assert call("capture", alert["id"], other, folder=estate.folder).exit_code == 0
    assert other.read_text() == before


def test_an_alert_that_is_not_there_is_said(estate: Estate) -> None:
    estate.run()
    nobody = "00000000-0000-5000-8000-000000000000"
    done = call("capture", nobody, folder=estate.folder)
    assert done.exit_code == 1
    assert f"there is no Alert {nobody}; `hubherald alerts list` shows them" in done.stderr
    assert call("capture", "5c3f", folder=estate.folder).exit_code == 2


def test_all_that_rules_can_ask_is_kept() -> None:
    """A decision with every field of the catalogue, written and read again, asks the same."""
    hub = Hub(
        device_id=HUB,
        status=HubStatus.PENDING,
        smets_version=SmetsVersion.SMETS1,
        csp_region="North",
        model="007",
        hardware_version="1.10",
        replaced_by=f"{HUB[:-1]}F",
        groups=("pilot", "no", "0x10"),
    )
    activation = Activation(
        device_id=HUB,
        firmware_version="01020304",
        previous_firmware_version="1e3",
        activated_at="2026-06-01T12:00:00Z",
        outcome=ActivationOutcome.FAILURE,
        failure_reason='said "no": # null',
    )
    supplier = ServiceUser(
        id=S1,
        name="~",
        roles=frozenset({Role.IMPORT_SUPPLIER, Role.GAS_SUPPLIER}),
        status=UserStatus.ACTIVE,
        subscriptions=("on", "firmware"),
        duis_version="5.10",
    )
    asked = fields_of(activation, hub, Role.IMPORT_SUPPLIER, supplier)
    assert asked.keys() == FIELDS.keys()
    made = Registration(
        device_id=HUB,
        mpxn=IMPORT,
        point=Point.IMPORT_MPAN,
        supplier_id=S1,
        network_operator_id=None,
        effective_from="2020-01-01",
        effective_to=None,
    )
    past = Past(1, activation, datetime(2026, 6, 2, tzinfo=UTC), hub, (made,), "a", "b", ())
    text = text_of(past, {S1: supplier}, "0")
    written = YAML(typ="safe", pure=True).load(text)["tests"][0]["given"]
    given = Given.model_validate(filled(written))
    again = given.service_users[S1]
    assert fields_of(given.activation, given.hub, Role.IMPORT_SUPPLIER, again) == asked
