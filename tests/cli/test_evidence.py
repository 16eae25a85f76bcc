"""`hubherald evidence`: an archive proves its Alerts to who has neither ledger nor Hubherald."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.chains import aged
from support.commandline import call, rows
from support.estate import HUB, S1, S2, SUPPLIER, Estate

from router.errors import UsageError
from router.ledger.database import Database, Use, open_database
from router.ledger.proof.archive import examine, pack, unpack
from router.ledger.restored import set_ahead

pytestmark = pytest.mark.once

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two users were told of one hub."""
    estate = Estate(tmp_path_factory.mktemp("routed"))
    estate.user(S1, SUPPLIER)
    estate.user(S2, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation("9002")
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0
    assert call("lanes", "pause", S1, folder=estate.folder).exit_code == 0
    return estate.folder


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    """Of the Alert to S1."""
    return exported(folder, tmp_path / "evidence.zip", alert(folder))


def alert(folder: Path, user: str = S1) -> str:
    (row,) = rows("alerts", "list", "--user", user, folder=folder)
    return str(row["id"])


def exported(folder: Path, file: Path, *words: str) -> Path:
    result = call("evidence", *words, "--to", file, folder=folder)
    assert result.exit_code == 0, result.output
    return file


def copied(folder: Path, to: Path) -> Path:
    copy = Estate(to).folder
    for name in ("hubherald.db", "service_users.yaml"):
        (copy / name).write_bytes((folder / name).read_bytes())
    return copy


def set_ahead_by_hand(database: Database) -> None:
    """As if the ledger were one that was put back."""
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE lives SET copied_at = 1")
    assert set_ahead(database, [], datetime.now(UTC))


def by_hand(folder: Path, archive: Path) -> list[str]:
    """What the README's own commands print, in an environment of coreutils and nothing else."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    text = (folder / "README.txt").read_text()
    steps = re.findall(r"^  \d\. .*\n((?:       .*\n)+)", text, re.MULTILINE)
    assert len(steps) == 4
    said = []
    for step in steps:
        done = subprocess.run(
            ["/bin/sh", "-c", step],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        said += (done.stdout + done.stderr).splitlines()
    return said


def test_an_archive_says_all_of_its_alert_and_nothing_of_others(archive: Path) -> None:
    files = unpack(archive.read_bytes())
    tables = {name.split("/")[1] for name in files if name.startswith("records/")}
    assert tables == {
        *("facts", "evaluations", "documents", "decisions", "alerts", "attempts", "outcomes"),
        "actions",
    }
    told = [json.loads(content) for name, content in files.items() if "records/decisions" in name]
    assert {row[2] for row in told} == {S1}
    (body,) = (content for name, content in files.items() if name.startswith("facts/"))
    assert json.loads(body)["data"]["device_id"] == HUB
    (rules,) = (content for name, content in files.items() if name.startswith("rules/"))
    assert b"alert-import-supplier" in rules
    (sent,) = (content for name, content in files.items() if name.startswith("sent/"))
    assert json.loads(sent)["data"]["service_user_id"] == S1


def test_it_is_checked_without_a_ledger(archive: Path, folder: Path, tmp_path: Path) -> None:
    result = call("evidence", "verify", archive, folder=tmp_path)
    assert result.exit_code == 0, result.output
    assert "router, link " in result.stdout
    heads = json.loads(call("ledger", "head", folder=folder).stdout)
    assert (
        str(next(each["hash"] for each in heads if each["writer"] == "operator")) in result.stdout
    )


def test_it_is_checked_without_hubherald_by_its_own_readme(archive: Path, tmp_path: Path) -> None:
    assert by_hand(tmp_path / "unpacked", archive) == []


def test_the_same_evidence_is_the_same_archive(folder: Path, tmp_path: Path) -> None:
    made = [exported(folder, tmp_path / name, "--hub", HUB) for name in ("a.zip", "b.zip")]
    assert made[0].read_bytes() == made[1].read_bytes()
    files = unpack(made[0].read_bytes())
    assert {name[5:-5] for name in files if name.startswith("sent/")} == {
        *(alert(folder, S1), alert(folder, S2))
    }


def forged(files: Files) -> bytes:
    """Packed anew, with sums that fit."""
    kept = {
        name: content for name, content in files.items() if name not in {"SHA256SUMS", "README.txt"}
    }
    return pack(kept, [])


def other_alert(files: Files) -> None:
    (name,) = (each for each in files if each.startswith("records/alerts/"))
    files[name] = files[name].replace(S1.encode(), S2.encode())


def other_bytes(files: Files) -> None:
    (name,) = (each for each in files if each.startswith("sent/"))
    files[name] += b" "


def other_link(files: Files) -> None:
    name = next(each for each in files if each.startswith("links/"))
    files[name] += b"0" * 64 + b"\n"


def other_fact(files: Files) -> None:
    (name,) = (each for each in files if each.startswith("facts/"))
    files[name] += b" "


def no_links(files: Files) -> None:
    for name in [each for each in files if each.startswith("links/")]:
        del files[name]


@pytest.mark.parametrize("change", [other_alert, other_bytes, other_fact, other_link, no_links])
def test_a_forged_archive_is_found_by_both(
    archive: Path, tmp_path: Path, change: Callable[[Files], None]
) -> None:
    files = unpack(archive.read_bytes())
    change(files)
    archive.write_bytes(forged(files))
    assert by_hand(tmp_path / "unpacked", archive) != []
    result = call("evidence", "verify", archive, folder=tmp_path)
    assert result.exit_code == 1
    assert result.stdout.startswith("wrong: ")


def test_a_damaged_archive_is_found(archive: Path) -> None:
    files = unpack(archive.read_bytes())
    for name in files:
        changed = {**files, name: files[name] + b"x"}
        assert examine(changed).wrong, name
        missing = {each: content for each, content in files.items() if each != name}
        assert examine(missing).wrong, name


def test_old_records_are_said_to_need_the_ledger(folder: Path, tmp_path: Path) -> None:
    old = copied(folder, tmp_path)
    with closing(open_database(f"sqlite:///{old}/hubherald.db", Use.CHANGE)) as database:
        aged(database)
    made = exported(old, tmp_path / "old.zip", alert(old))
    result = call("evidence", "verify", made, folder=old)
    assert result.exit_code == 0
    assert "proved with the ledger alone" in result.stdout
    assert all(each.startswith("NOT IN A LINK") for each in by_hand(tmp_path / "by-hand", made))


def test_bytes_of_which_no_attempt_kept_a_digest_are_told_apart(
    folder: Path, tmp_path: Path
) -> None:
    old = copied(folder, tmp_path)
    with closing(open_database(f"sqlite:///{old}/hubherald.db", Use.CHANGE)) as database:
        with database.transaction() as connection:
            connection.exec_driver_sql("UPDATE deliveries SET rendered = ?", (b"<duis/>",))
        aged(database)
    made = exported(old, tmp_path / "old.zip", alert(old))
    result = call("evidence", "verify", made, folder=old)
    assert result.exit_code == 0, result.output
    assert "no attempt has kept a digest of it, so nothing here proves these bytes: sent/" in (
        result.stdout
    )
    said = by_hand(tmp_path / "by-hand", made)
    unproved = (tmp_path / "by-hand" / "UNPROVED.txt").read_text().split()
    assert {each.split()[-1] for each in said} == set(unproved)


def test_it_names_no_other_user(folder: Path, tmp_path: Path) -> None:
    other = copied(folder, tmp_path)
    with closing(open_database(f"sqlite:///{other}/hubherald.db", Use.CHANGE)) as database:
        set_ahead_by_hand(database)
    assert call("alerts", "resend", "--since", "1h", "--yes", folder=other).exit_code == 0
    files = unpack(exported(other, tmp_path / "mine.zip", alert(other)).read_bytes())
    told = [json.loads(content) for name, content in files.items() if "records/actions" in name]
    assert [row[3] for row in told] == ["lanes pause"]
    assert not any(S2 in row[4] for row in told)


def test_whatever_byte_was_damaged_is_told(archive: Path) -> None:
    packed = bytearray(archive.read_bytes())
    for at in range(len(packed)):
        packed[at] ^= 0xFF
        with suppress(UsageError):
            unpack(bytes(packed))
        packed[at] ^= 0xFF


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["verify"], 2),
        (["--since", "7d"], 2),
        (["no-uuid"], 2),
        (["0b0f7f1c-6a0f-5d7c-9a53-0b8f3f1f6f0e"], 1),
        (["--hub", "00-00-00-00-00-00-00-09"], 1),
    ],
)
def test_what_can_not_be_meant_is_told(folder: Path, words: list[str], code: int) -> None:
    result = call("evidence", *words, folder=folder)
    assert (result.exit_code, result.stdout) == (code, "")


def test_what_is_no_archive_and_a_name_that_is_taken_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "taken.zip"
    file.write_text("no archive")
    assert call("evidence", "verify", file, folder=folder).exit_code == 1
    result = call("evidence", alert(folder), "--to", file, folder=folder)
    assert result.exit_code == 1
    assert file.read_text() == "no archive"
