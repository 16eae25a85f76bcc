"""`hubherald check`, as an operator or a program meets it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import call, rows, start
from support.estate import ROOT, S1, S2, S3, SUPPLIER, Estate

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
COLUMNS = {"file", "line", "column", "code", "message"}
"""What each row of `-o json` has."""


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.user(S2, ["gas_supplier"])
    return estate


def test_check_says_what_is_there(estate: Estate) -> None:
    estate.all_roles()
    result = call("check", folder=estate.folder)
    assert (result.exit_code, result.stderr) == (0, "")
    counted = r"ok: \d+ rules, \d+ tests, 3 Service Users, 3 channels, 1 source\n"
    assert re.fullmatch(counted, result.stdout)
    assert rows("check", folder=estate.folder) == []


def test_check_tells_all_problems_of_all_files_at_once(estate: Estate) -> None:
    config = estate.folder / "hubherald.yaml"
    config.write_text(config.read_text().replace('"dcc"', '"dcd"'))
    estate.users[0]["roles"] = ["import_suplier"]
    estate.write_users()
    result = call("check", folder=estate.folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "'dcd' means nothing here; did you mean 'dcc'?" in result.stderr
    assert "import_suplier" in result.stderr
    assert re.search(r"hubherald\.yaml:\d+:\d+: ", result.stderr)
    assert re.search(r"service_users\.yaml:\d+:\d+: ", result.stderr)
    assert re.search(r"\n *\^\n", result.stderr)
    assert re.search(r"\n\d+ problems\n$", result.stderr)
    listed = call("check", "-o", "json", folder=estate.folder)
    assert listed.exit_code == 1
    problems = json.loads(listed.stdout)
    assert {Path(problem["file"]).name for problem in problems} == {
        "hubherald.yaml",
        "service_users.yaml",
    }
    assert all(problem["line"] > 0 and problem["column"] > 0 for problem in problems)
    assert {problem["code"] for problem in problems} == {"unknown-key", "value"}
    assert all(set(problem) == COLUMNS for problem in problems)


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({"sources": {"drop": {"adapter": "folder", "path": "missing/"}}}, "create the folder"),
        ({"ledger": {"url": "sqlite:///missing/hubherald.db"}}, "missing does not exist; make it"),
        ({"ledger": {"url": "sqlite:///inbox"}}, "not a plain file; mend the path"),
        ({"ledger": {"url": f"sqlite:///{'l' * 400}"}}, "(File name too long); mend the path"),
    ],
)
def test_what_a_run_would_refuse_is_found(
    estate: Estate, keys: dict[str, object], refused: str
) -> None:
    estate.all_roles()
    assert call("check", folder=estate.folder).exit_code == 0
    file = estate.folder / "hubherald.yaml"
    file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))
    result = call("check", folder=estate.folder)
    assert result.exit_code == 1
    assert refused in result.stderr
    assert re.search(r"hubherald\.yaml:1:\d+: file ", result.stderr)
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 1


def test_what_waits_in_vain_is_a_finding_and_hinders_no_router(estate: Estate) -> None:
    """Nobody here is a network operator, as the shipped rules expect."""
    result = call("check", folder=estate.folder)
    assert result.exit_code == 1
    assert re.search(r"alerts\.yaml:\d+:\d+: nobody no Service User has the role", result.stderr)
    assert call("run", "--until-idle", folder=estate.folder).exit_code == 0


def test_mistakes_in_tests_of_rules_are_found_without_running_them(estate: Estate) -> None:
    estate.all_roles()
    folder = estate.folder / "rules"
    shutil.copytree(ROOT / "rules", folder)
    estate.configure(folder)
    (folder / "own.test.yaml").write_text("tests: [{name: 17}]\n")
    result = call("check", folder=estate.folder)
    assert result.exit_code == 1
    assert 'own.test.yaml:1:16: unquoted name: must be text; quote it: "17"\n' in result.stderr


def test_a_line_with_a_position_is_never_wrapped(estate: Estate) -> None:
    config = estate.folder / "hubherald.yaml"
    config.write_text(config.read_text().replace('"dcc"', '"' + "x" * 100 + '"'))
    with start("check", folder=estate.folder) as process:
        _, told = process.communicate()
    assert process.returncode == 1
    assert any(line.startswith("hubherald.yaml:") and len(line) > 120 for line in told.splitlines())


def test_what_the_engine_can_not_be_trusted_with_is_a_problem_too(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.all_roles()
    (tmp_path / "durable_rules_engine.py").write_text("raise ImportError('built wrongly')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    said = call("check", folder=estate.folder)
    assert said.exit_code == 1
    assert f"{ROOT / 'rules'}:1:1: engine durable_rules can't be trusted" in said.stderr
    told = call("check", "-o", "json", folder=estate.folder)
    assert told.exit_code == 1
    (row,) = json.loads(told.stdout)
    assert (row["code"], row["line"]) == ("engine", 1)


def test_nothing_that_lies_beside_the_rules_is_run(estate: Estate) -> None:
    estate.all_roles()
    proof = estate.folder / "proof"
    for name in ("json", "signal", "pickle", "durable", "router", "sitecustomize"):
        text = f"open({str(proof)!r}, 'a').write(__file__)\n"
        (estate.folder / f"{name}.py").write_text(text)
        (estate.folder / name).mkdir()
        (estate.folder / name / "__init__.py").write_text(text)
    program = Path(sys.executable).with_name("hubherald")
    done = subprocess.run(
        [program, "check"], cwd=estate.folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not proof.exists()


@pytest.mark.parametrize(
    ("mode", "secret", "told"),
    [
        (0o644, {"secret": SECRET}, True),
        (0o604, {"secret": SECRET}, True),
        (0o640, {"secret": SECRET}, False),
        (0o600, {"secret": SECRET}, False),
        (0o644, {"secret": "${HOOK}"}, False),
        (0o644, {"secret_file": "hook.secret"}, False),
    ],
)
def test_a_secret_in_a_file_that_everybody_may_read_is_a_finding(
    estate: Estate, monkeypatch: pytest.MonkeyPatch, mode: int, secret: dict[str, str], told: bool
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    estate.all_roles()
    file = estate.folder / "hook.secret"
    file.touch(0o600)
    file.write_text(SECRET)
    hook = {"adapter": "webhook", "url": "http://127.0.0.1:1/", **secret}
    estate.user(S3, SUPPLIER, channels=[hook])
    users = estate.folder / "service_users.yaml"
    users.chmod(mode)
    result = call("check", folder=estate.folder)
    assert result.exit_code == (1 if told else 0)
    said = f"can be read by everybody on this machine (mode {mode:04o}); run: chmod o= {users}"
    assert (said in result.stdout + result.stderr) == told
    assert SECRET not in result.stdout + result.stderr
