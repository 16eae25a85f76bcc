"""What is not fit to run does not start: exit 1, the place of the mistake, nothing made."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.estate import ROOT, S1, SUPPLIER, Estate

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    estate = Estate(tmp_path)
    estate.configure(Path("rules"))
    estate.user(S1, SUPPLIER)
    estate.hub()
    return estate


def hubherald(estate: Estate, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    command = [sys.executable, "-m", "router.cli", *words]
    done = subprocess.run(
        command, cwd=estate.folder, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


MISTAKES = {
    "a wrong key in the configuration": ("hubherald.yaml", '"sources"', '"source"', "'sources'"),
    "a wrong type in the configuration": ("hubherald.yaml", '"inbox/"', "[1]", "path"),
    "a wrong value in the configuration": ("hubherald.yaml", "sqlite:///", "oracle:///", "sqlite"),
    "a wrong key in the users": ("service_users.yaml", '"roles"', '"role"', "'roles'"),
    "a wrong type in the users": ("service_users.yaml", f'"{S1}"', "17", "must be text"),
    "a wrong value in the users": ("service_users.yaml", "gas_supplier", "gas_suplier", "gas_"),
    "a wrong key in a rule": ("rules/alerts.yaml", "    when:", "    whenn:", "'when'"),
    "a wrong type in a rule": ("rules/alerts.yaml", "alert: N64", "alert: 64", "alert"),
    "a wrong value in a rule": ("rules/alerts.yaml", '"success"', '"sucess"', "success"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_any_file_is_named_with_its_place(estate: Estate, mistake: str) -> None:
    name, old, new, expected = MISTAKES[mistake]
    file = estate.folder / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    code, _, errors = hubherald(estate, "run", "--until-idle")
    assert code == 1
    named = [each for each in errors.splitlines() if f"{name}:{line}:" in each]
    assert any(expected in each for each in named), errors
    assert "Traceback" not in errors
    assert not (estate.folder / "hubherald.db").exists()


def test_all_problems_of_all_files_come_at_once(estate: Estate) -> None:
    for name, old, new, _ in MISTAKES.values():
        file = estate.folder / name
        file.write_text(file.read_text().replace(old, new, 1))
    code, output, errors = hubherald(estate, "check")
    assert code == 1
    for name in ("hubherald.yaml:", "service_users.yaml:", "rules/alerts.yaml:"):
        assert name in output + errors


def test_a_missing_ledger_is_one_line(estate: Estate) -> None:
    code, _, errors = hubherald(estate, "alerts", "list")
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert "hubherald.db" in errors
    assert not (estate.folder / "hubherald.db").exists()


def test_a_ledger_in_a_missing_folder_is_one_line(estate: Estate) -> None:
    file = estate.folder / "hubherald.yaml"
    file.write_text(file.read_text().replace("sqlite:///", "sqlite:///nowhere/"))
    code, _, errors = hubherald(estate, "run", "--until-idle")
    assert code == 1
    assert len(errors.splitlines()) == 1
    assert "nowhere" in errors


def test_a_ledger_of_a_newer_program_is_one_line(estate: Estate) -> None:
    estate.run()
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for words in (("run", "--until-idle"), ("alerts", "list")):
        code, _, errors = hubherald(estate, *words)
        assert code == 1
        assert len(errors.splitlines()) == 1
        assert "newer" in errors


def test_a_locked_ledger_is_one_line(estate: Estate) -> None:
    estate.run()
    with closing(sqlite3.connect(estate.folder / "hubherald.db")) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN EXCLUSIVE")
        code, _, errors = hubherald(estate, "run", "--until-idle")
        assert code == 1
        assert len(errors.splitlines()) == 1
        assert "locked" in errors
        connection.execute("ROLLBACK")
    assert hubherald(estate, "run", "--until-idle")[0] == 0
