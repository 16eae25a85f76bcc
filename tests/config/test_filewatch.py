"""What a look at files shows: every change that could make them read otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from router.config.filewatch import look


def rewrite(folder: Path) -> None:
    """As `cp -p` or `rsync --inplace` would: as long, and as old."""
    file = folder / "a.yaml"
    before = file.stat()
    file.write_text("rules: [2]")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def link(folder: Path) -> None:
    """As a mounted volume changes."""
    (folder.parent / "next").mkdir()
    (folder.parent / "next" / "b.yaml").write_text("rules: [3]")
    (folder.parent / "to").symlink_to("next")
    (folder.parent / "to").replace(folder / "more")


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda folder: (folder / "a.yaml").write_text("rules: [1, 2]"),
    "rewritten in place": rewrite,
    "its mode": lambda folder: (folder / "a.yaml").chmod(0o600),
    "a new file": lambda folder: (folder / "c.yaml").write_text(""),
    "a file gone": lambda folder: (folder / "a.yaml").unlink(),
    "another release": link,
    "users": lambda folder: (folder.parent / "users.yaml").write_text("service_users: [1]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(tmp_path: Path, change: str) -> None:
    folder, users = tmp_path / "rules", tmp_path / "users.yaml"
    folder.mkdir()
    (folder / "a.yaml").write_text("rules: [1]")
    (tmp_path / "now").mkdir()
    (tmp_path / "now" / "b.yaml").write_text("rules: [3]")
    (folder / "more").symlink_to(tmp_path / "now")
    users.write_text("service_users: []")
    before = look(folder, users)
    assert look(folder, users) == before
    CHANGES[change](folder)
    assert look(folder, users) != before


def test_the_same_files_look_the_same_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text("rules: [1]")
    (tmp_path / "users.yaml").write_text("service_users: []")
    monkeypatch.chdir(tmp_path)
    assert look(Path("rules"), Path("users.yaml")) == look(
        tmp_path / "rules", tmp_path / "users.yaml"
    )
