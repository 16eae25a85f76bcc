"""What can't be done is refused in words, with the exit code that contract.md gives it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support.commandline import PROGRAM, call
from support.estate import S1, SUPPLIER, Estate

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    return estate


def test_the_configuration_is_named_anywhere(estate: Estate) -> None:
    call("run", "--until-idle", folder=estate.folder)
    named = ["--config", str(estate.folder / "hubherald.yaml")]
    listed = [
        call(*words).stdout
        for words in (
            [*named, "lanes", "list"],
            ["lanes", *named, "list"],
            ["lanes", "list", *named],
            ["--config", "other.yaml", "lanes", "list", *named],
        )
    ]
    assert S1 in listed[0]
    assert listed == [listed[0]] * 4


@pytest.mark.parametrize("words", [["check"], ["lanes", "list"], ["run"], ["alerts", "retry"]])
def test_a_configuration_that_can_not_be_read_is_wrong_use(
    estate: Estate, words: list[str]
) -> None:
    for named in ("missing.yaml", "missing/hubherald.yaml", "rules"):
        refused = call(*words, "--config", estate.folder / named)
        assert refused.exit_code == 2, named
        assert named in refused.stderr
    (estate.folder / "empty.yaml").touch()  # one that can be read, and has mistakes
    assert call(*words, "--config", estate.folder / "empty.yaml").exit_code == 1


def test_so_it_is_for_programs(estate: Estate) -> None:
    refused = call("check", "--config", estate.folder / "missing.yaml", "-o", "json")
    assert refused.exit_code == 2
    assert [row["code"] for row in json.loads(refused.stdout)] == ["file"]


@pytest.mark.parametrize(
    "words",
    [
        ["alerts", "retry"],
        ["alerts", "withdraw", "--user", S1, "--reason", "x", "--yes"],
        ["alerts", "resend", "--user", S1, "--reason", "x", "--yes"],
        ["lanes", "pause", S1],
        ["lanes", "resume", S1],
        ["lanes", "move", f"{S1}/a", f"{S1}/b"],
        ["quarantine", "release", "1"],
        ["quarantine", "close", "1", "--reason", "x"],
        ["inventory", "correct", S1, "--unknown"],
    ],
    ids=" ".join,
)
def test_what_changes_a_ledger_makes_none(estate: Estate, words: list[str]) -> None:
    refused = call(*words, folder=estate.folder)
    assert refused.exit_code == 1
    assert "there is no ledger; it is made by `hubherald run`" in refused.stderr
    assert list(estate.folder.glob("hubherald.db*")) == []


def test_a_group_without_a_command_is_told_which_there_are(estate: Estate) -> None:
    refused = call("alerts", folder=estate.folder)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Usage: ")
    assert "\n  list " in refused.stderr
    assert "Error:" not in refused.stderr


@pytest.mark.parametrize("words", [["lanes", "list"], ["lanes", "list", "-o", "json"], ["--help"]])
def test_a_full_disk_under_what_is_printed(estate: Estate, words: list[str]) -> None:
    call("run", "--until-idle", folder=estate.folder)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words], cwd=estate.folder, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"error: what was to be written was not taken: No space left on device\n"
