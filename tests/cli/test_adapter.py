"""`hubherald adapter`: what it writes, and one drill through a channel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commandline import call
from support.estate import S1, SUPPLIER, Estate

PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet"]


def done(*command: str | Path, cwd: Path) -> str:
    """What a command prints; it must be fine."""
    ended = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def written(folder: Path, name: str = "tape") -> Path:
    """A new project."""
    project = folder / "project"
    result = call("adapter", "new", name, "--dir", project)
    assert result.exit_code == 0, result.output
    assert "pip install -e . && pytest" in result.stdout
    return project


def test_its_tests_pass_and_its_code_is_right_for_type_checkers(tmp_path: Path) -> None:
    project = written(tmp_path, "my-queue")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    assert "32 passed, 35 declared" in done("env", f"PYTHONPATH={project}", *command, cwd=project)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."]
    assert "no issues" in done(*mypy, cwd=project)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=100", "."]
    done(*ruff, cwd=project)


@pytest.mark.parametrize("name", ["Tape", "1st", "a--b", "a_b", "../x", "webhook", "x" * 41, ""])
def test_a_name_that_can_be_none_is_refused(tmp_path: Path, name: str) -> None:
    result = call("adapter", "new", name, "--dir", tmp_path / "project")
    assert result.exit_code == 1
    assert "choose another" in result.stderr or "can't be the name" in result.stderr
    assert not (tmp_path / "project").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    written(tmp_path)
    result = call("adapter", "new", "other", "--dir", tmp_path / "project")
    assert (result.exit_code, "nothing was written" in result.stderr) == (1, True)


@pytest.fixture
def tried(tmp_path: Path) -> Estate:
    """A user with channels of three kinds."""
    estate = Estate(tmp_path)
    channels = [
        {"adapter": "folder", "path": "sent/a", "name": "a"},
        {"adapter": "folder", "path": "sent/b", "name": "b"},
        {"adapter": "webhook", "url": "http://127.0.0.1:9/"},
    ]
    estate.user(S1, SUPPLIER, channels=channels)
    return estate


def test_a_drill_that_fails_is_told_and_ends_with_one(tried: Estate) -> None:
    result = call("adapter", "try", "webhook", "--user", S1, folder=tried.folder)
    assert result.exit_code == 1
    assert "webhook: retry: network: " in result.stdout


def test_which_channel_is_meant_must_be_clear(tried: Estate) -> None:
    result = call("adapter", "try", "folder", "--user", S1, folder=tried.folder)
    assert (result.exit_code, "say which with --channel" in result.stderr) == (1, True)
    result = call("adapter", "try", "log", "--user", S1, folder=tried.folder)
    assert "there is no such channel" in result.stderr
    result = call("adapter", "try", "log", "--user", "90-B3-D5-1F-30-01-00-09", folder=tried.folder)
    assert "has no user" in result.stderr


def test_a_drill_leaves_nothing_in_the_ledger(tried: Estate) -> None:
    words = ("adapter", "try", "folder", "--user", S1, "--channel", "b")
    result = call(*words, folder=tried.folder)
    assert result.exit_code == 0, result.output
    assert not (tried.folder / "hubherald.db").exists()
