"""The commands over the ledger, as operators type them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from support.commandline import call, row, rows, start
from support.estate import HUB, S1, S2, SUPPLIER, Estate, mpan

OTHER_HUB = "90-B3-D5-1F-30-00-10-02"
UNKNOWN_HUB = "90-B3-D5-1F-30-00-10-03"
SUSPENDED = "90-B3-D5-1F-30-01-00-09"


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with something of everything; tests that change it take a copy."""
    estate = Estate(tmp_path_factory.mktemp("routed"))
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.user(SUSPENDED, SUPPLIER, status="suspended")
    estate.hub()
    estate.hub(OTHER_HUB, smets_version="SMETS1")
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.registration("export_mpan", SUSPENDED)
    estate.registration("import_mpan", S2, device_id=OTHER_HUB, mpxn=mpan("100000000077"))
    estate.activation("9002")
    estate.activation("9002", device_id=OTHER_HUB)
    estate.activation("9002", device_id=UNKNOWN_HUB)
    estate.line(b'{"id": "\x1b[31mred"}')
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    return estate.folder


@pytest.fixture
def folder(routed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(routed, tmp_path / "copy")


def test_why_tells_the_whole_story(routed: Path) -> None:
    result = call("why", "--hub", HUB.lower(), folder=routed)
    assert result.exit_code == 0
    text = result.stdout
    assert "9002 success at 2026-06-01T12:00:00Z" in text
    assert (
        f"{S1} (User 01) as import_supplier: alerted by rule alert-import-supplier, Alert N64"
        in text
    )
    assert "channel folder: delivered; next: nothing is left to do" in text
    assert "held: lane closed: suspended since" in text


def test_why_as_json_is_flat_and_has_times_in_utc(routed: Path) -> None:
    told = rows("why", "--hub", HUB, "--user", S1, folder=routed)
    kinds = [row["kind"] for row in told]
    assert kinds.count("alert") == 1
    assert {"fact", "grounds", "registration", "decision", "delivery", "attempt"} <= set(kinds)
    decision = next(row for row in told if row["kind"] == "decision")
    assert (decision["service_user_id"], decision["verdict"]) == (S1, "alerted")
    assert all(row["received_at"].endswith("Z") for row in told if row["kind"] == "fact")


def test_why_also_tells_what_waits_in_quarantine(routed: Path) -> None:
    text = call("why", "--hub", UNKNOWN_HUB, folder=routed).stdout
    assert "in quarantine, number 1: hubherald.firmware.activated.v1" in text
    assert "next: is decided by itself as soon as the hub is in the inventory" in text


def test_why_of_a_hub_that_nobody_knows_is_a_failure_in_a_line(routed: Path) -> None:
    result = call("why", "--hub", "00-00-00-00-00-00-00-01", folder=routed)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: nothing is known about hub 00-00-00-00-00-00-00-01")


def test_alerts_are_listed_and_shown(routed: Path) -> None:
    listed = rows("alerts", "list", folder=routed)
    assert {(row["service_user_id"], row["state"]) for row in listed} == {
        (S1, "delivered"),
        (S2, "delivered"),
        (SUSPENDED, "held"),
    }
    assert rows("alerts", "list", "--state", "parked", folder=routed) == []
    assert len(rows("alerts", "list", "--user", S1, "--since", "1h", folder=routed)) == 1
    assert rows("alerts", "list", "--hub", OTHER_HUB, folder=routed) == []
    wanted = listed[-1]["id"]
    told = row("alerts", "show", wanted.upper(), folder=routed)
    assert (told["id"], told["event"]["subject"]) == (wanted, HUB)
    assert [each["kind"] for each in told["deliveries"]] == ["delivery", "attempt"]
    text = call("alerts", "show", wanted, folder=routed).stdout
    event = json.loads(text.splitlines()[-1])
    assert (event["id"], event["subject"]) == (wanted, HUB)


def test_a_limit_says_that_there_is_more(routed: Path) -> None:
    result = call("alerts", "list", "--limit", "2", folder=routed)
    assert len(result.stdout.splitlines()) == 3
    assert re.fullmatch(r"\d+ more: see --limit\n", result.stderr)


def test_a_table_in_a_pipe_is_neither_cut_nor_coloured(routed: Path) -> None:
    with start("alerts", "list", folder=routed) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    header, *lines = out.splitlines()
    assert header.split()[:2] == ["decided", "at"]
    assert len(lines) == 3
    assert all(len(line) > 150 for line in lines)
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["alerts", "show", "nonsense"], 2, "'nonsense' is no Alert id"),
        (
            ["alerts", "show", "00000000-0000-0000-0000-000000000000"],
            1,
            "error: there is no Alert 00000000",
        ),
        (["alerts", "list", "--state", "gone"], 2, "'gone' is not one of 'waiting'"),
        (["alerts", "list", "--since", "yesterday"], 2, "'yesterday' is no time"),
        (["alerts", "retry", "--state", "delivered"], 1, "error: what is delivered can't be"),
        (["why", "--hub", "90-B3"], 2, "must be eight hyphenated hex octets"),
        (["why"], 2, "say which hub: by its Device ID"),
        (["lanes", "pause", S1, "mail"], 1, "has no channel 'mail'; it has folder"),
        (["lanes", "resume", S1], 1, "folder is open already"),
        (["lanes", "resume", SUSPENDED], 1, "opens only when its reason is gone (suspended)"),
        (["quarantine", "show", "99"], 1, "nothing with number 99 was ever in quarantine"),
        (["quarantine", "release", "99"], 1, "error: not in quarantine: 99"),
        (["quarantine", "release"], 2, "give either ids or --reason"),
        (["quarantine", "release", "1", "--reason", "engine"], 2, "give either ids or --reason"),
        (["quarantine", "list", "--reason", "bad"], 2, "'bad' is not one of 'malformed'"),
        (["inventory", "show", "00-00-00-00-00-00-00-01"], 1, "is not in the inventory"),
        (["inventory", "import"], 2, "give --hubs, --registrations or both"),
        (["inventory", "import", "--hubs", "no.csv"], 2, "no.csv can't be read"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_wrong_use_and_failures_are_a_line_each(
    folder: Path, words: list[str], code: int, message: str
) -> None:
    result = call(*words, folder=folder)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_retry_says_what_it_would_do_and_then_does_it(folder: Path) -> None:
    filters = ["--user", SUSPENDED, "--state", "held"]
    dry = call("alerts", "retry", *filters, "--dry-run", folder=folder)
    said = "would retry 0 deliveries; 1 stay held until their lane opens\n"
    assert (dry.exit_code, dry.stdout) == (0, said)
    done = call("alerts", "retry", *filters, folder=folder)
    assert (done.exit_code, done.stdout) == (0, "retried: 1 delivery\n")
    none = call("alerts", "retry", "--user", S1, folder=folder)
    assert (none.exit_code, none.stdout) == (0, "retried: 0 deliveries\n")


def test_a_retry_works_with_mistakes_in_the_users_file(folder: Path) -> None:
    (folder / "service_users.yaml").write_text("service_users: 1\n")
    done = call("alerts", "retry", "--state", "held", folder=folder)
    assert (done.exit_code, done.stdout) == (0, "retried: 1 delivery\n")


def test_lanes_are_listed_paused_and_resumed(folder: Path) -> None:
    listed = {row["service_user_id"]: row for row in rows("lanes", "list", folder=folder)}
    assert (listed[S1]["state"], listed[S1]["reason"], listed[S1]["waiting"]) == ("open", None, 0)
    assert listed[S1]["last_answer"].startswith("delivered")
    assert (listed[SUSPENDED]["reason"], listed[SUSPENDED]["waiting"]) == ("suspended", 1)
    paused = call("lanes", "pause", S1, folder=folder)
    assert (paused.exit_code, paused.stdout) == (0, f"paused: {S1} (User 01) folder\n")
    listed = {row["service_user_id"]: row for row in rows("lanes", "list", folder=folder)}
    assert (listed[S1]["state"], listed[S1]["reason"]) == ("closed", "operator")
    resumed = call("lanes", "resume", S1, "folder", folder=folder)
    assert (resumed.exit_code, resumed.stdout) == (0, f"resumed: {S1} (User 01) folder\n")
    assert "open" in call("lanes", "list", folder=folder).stdout


def test_quarantine_shows_a_body_without_letting_it_act(routed: Path) -> None:
    listed = rows("quarantine", "list", folder=routed)
    assert [(row["id"], row["reason"]) for row in listed] == [(2, "malformed"), (1, "unknown_hub")]
    assert {"id", "source", "type", "reason", "detail", "received_at"} <= set(listed[0])
    text = call("quarantine", "show", "2", folder=routed).stdout
    assert "\x1b" not in text
    assert "body, 18 bytes" in text
    shown = row("quarantine", "show", "1", folder=routed)
    assert json.loads(shown["body"])["data"]["device_id"] == UNKNOWN_HUB
    assert "unknown_hub" in call("quarantine", "list", folder=routed).stdout


def test_quarantine_is_released_by_id_and_by_reason(folder: Path) -> None:
    result = call("quarantine", "release", "2", folder=folder)
    tried = "still to be tried: 1 fact, by the router when it comes to it\n"
    assert (result.exit_code, result.stdout) == (0, f"released: 1 fact\n{tried}")
    result = call("quarantine", "release", "--reason", "engine", folder=folder)
    assert (result.exit_code, result.stdout) == (0, "released: 0 facts\n")
    released = [row["released"] for row in rows("quarantine", "list", folder=folder)]
    assert released == [True, False]


def test_inventory_shows_who_is_responsible_now_and_then(routed: Path) -> None:
    now = row("inventory", "show", HUB, folder=routed)
    assert (now["status"], now["firmware_version"]) == ("Commissioned", "9002")
    assert {(each["service_user_id"], each["role"]) for each in now["responsible"]} == {
        (S1, "import_supplier"),
        (S2, "gas_supplier"),
        (SUSPENDED, "export_supplier"),
    }
    before = row("inventory", "show", HUB, "--at", "2019-12-31", folder=routed)
    assert [each["in_effect"] for each in before["registrations"]] == [False] * 3
    assert before["responsible"] == []
    # midnight in London begins it, in summer an hour before midnight UTC
    text = call("inventory", "show", HUB, "--at", "2026-06-01", folder=routed).stdout
    assert f"responsible at 2026-05-31T23:00:00Z: {S1} (User 01) as import_supplier" in text


def test_an_import_tells_bad_rows_and_loads_the_rest(folder: Path) -> None:
    hubs = folder / "hubs.csv"
    hubs.write_text(
        "device_id,status,smets_version\n"
        f"{UNKNOWN_HUB},Commissioned,SMETS2\n"
        f"{OTHER_HUB},Lost,SMETS2\n"
    )
    registrations = folder / "registrations.csv"
    registrations.write_text(
        "device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to\n"
        f"{UNKNOWN_HUB},1800021679848,import_mpan,{S1},,2020-01-01,\n"
    )
    result = call(
        *["inventory", "import", "--hubs", hubs, "--registrations", registrations], folder=folder
    )
    assert result.exit_code == 1
    assert result.stdout == "loaded: 1 hub, 1 registration; 1 bad row left out\n"
    assert result.stderr.startswith(f"{hubs}:3: status 'Lost': must be 'Pending'")
    # the activation that waited for this hub is decided by itself
    assert call("run", "--until-idle", folder=folder).exit_code == 0
    assert len(rows("alerts", "list", "--hub", UNKNOWN_HUB, folder=folder)) == 1


def test_an_import_with_wrong_columns_loads_nothing(folder: Path) -> None:
    hubs = folder / "hubs.csv"
    hubs.write_text(f"device,status,smets_version\n{UNKNOWN_HUB},Commissioned,SMETS2\n")
    result = call("inventory", "import", "--hubs", hubs, folder=folder)
    assert result.exit_code == 1
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"{hubs}:1:1: unknown-key column 'device' means nothing here")
    assert first.endswith("did you mean 'device_id'?")
    assert result.stderr.endswith("2 problems\n")


def test_reading_without_a_ledger_is_a_clear_line(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    for words in (["why", "--hub", HUB], ["alerts", "list"], ["lanes", "list"]):
        result = call(*words, folder=estate.folder)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"error: {tmp_path}/hubherald.db: there is no ledger")


def test_a_broken_rule_does_not_keep_anyone_from_asking(folder: Path) -> None:
    (folder / "service_users.yaml").write_text("not: {right")
    assert call("why", "--hub", HUB, folder=folder).exit_code == 0
    assert call("lanes", "list", folder=folder).exit_code == 0


def test_a_command_that_makes_a_ledger_says_so(tmp_path: Path) -> None:
    """Where one should have been, the operator sees it."""
    estate = Estate(tmp_path)
    (tmp_path / "hubs.csv").write_text("device_id,status,smets_version\n")
    for told in (True, False):
        result = call("inventory", "import", "--hubs", tmp_path / "hubs.csv", folder=estate.folder)
        assert (f"a new, empty ledger: {tmp_path}/hubherald.db" in result.stderr) is told
