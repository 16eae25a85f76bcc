"""`hubherald fmt`: what operators and their CI systems meet."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import ROOT, Estate

RULE = "rules:\n- name: a\n  when: [hub.model=='x']  # why\n  alert: N64\n"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    estate.configure(tmp_path / "rules")
    return estate


def test_all_files_of_the_folder_are_laid_out_and_keep_their_mode(estate: Estate) -> None:
    assert call("fmt", "--check", folder=estate.folder).exit_code == 0
    file = estate.folder / "rules" / "more.yaml"
    file.write_text(RULE)
    file.chmod(0o640)
    asked = call("fmt", "--check", folder=estate.folder)
    assert (asked.exit_code, asked.stdout.splitlines()) == (1, [f"would change: {file}"])
    assert file.read_text() == RULE
    assert rows("fmt", folder=estate.folder) == [{"file": str(file), "written": True}]
    assert file.read_text() == (
        'rules:\n  - name: a\n    when: [hub.model == "x"] # why\n    alert: N64\n'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert call("fmt", folder=estate.folder).stdout == ""
    assert not list(file.parent.glob(".*"))


def test_a_file_with_mistakes_stays_and_the_others_are_done(estate: Estate) -> None:
    wrong, right = (estate.folder / "rules" / name for name in ("a.yaml", "b.yaml"))
    wrong.write_text("rules: [\n")
    right.write_text(RULE)
    done = call("fmt", wrong, right, folder=estate.folder)
    assert done.exit_code == 1
    assert "a.yaml:" in done.stderr
    assert wrong.read_text() == "rules: [\n"
    assert right.read_text() != RULE


def test_a_file_of_comments_only_stays_and_is_right(estate: Estate) -> None:
    for text in ("", "# nothing yet\n"):
        (estate.folder / "rules" / "more.yaml").write_text(text)
        for words in (["--check"], []):
            done = call("fmt", *words, folder=estate.folder)
            assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
