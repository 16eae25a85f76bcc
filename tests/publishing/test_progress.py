"""What remembers how much is published: closed to others, and written nowhere but in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from router.errors import UsageError
from router.ports import Access
from router.publishing.progress import Progress


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    (tmp_path / "facts.jsonl").write_bytes(b"1\n")
    return tmp_path / "facts.jsonl"


@pytest.mark.parametrize(("access", "mode"), [(Access.OWNER, 0o600), (Access.GROUP, 0o660)])
def test_it_is_the_owners_or_the_groups(facts: Path, access: Access, mode: int) -> None:
    progress = Progress(facts, "somewhere", access)
    progress.require_writable()
    progress.save()
    assert stat.S_IMODE(progress.path.stat().st_mode) == mode


@pytest.mark.parametrize("name", ["facts.jsonl.published", ".facts.jsonl.published.part"])
@pytest.mark.parametrize("to", ["victim", "nothing"])
def test_a_link_in_its_place_is_not_followed(facts: Path, name: str, to: str) -> None:
    victim, link = facts.with_name("victim"), facts.with_name(name)
    victim.write_bytes(b"precious")
    link.symlink_to(to)
    with pytest.raises(UsageError, match=f"{name} is a symbolic link, which is not followed"):
        Progress(facts, "somewhere", Access.OWNER).require_writable()
    assert victim.read_bytes() == b"precious"
    assert not facts.with_name("nothing").exists()


def test_a_link_that_comes_later_is_not_followed_either(facts: Path) -> None:
    victim = facts.with_name("victim")
    victim.write_bytes(b"precious")
    progress = Progress(facts, "somewhere", Access.OWNER)
    progress.require_writable()
    facts.with_name(".facts.jsonl.published.part").symlink_to("victim")
    progress.path.symlink_to("victim")
    progress.save()
    assert victim.read_bytes() == b"precious"
    assert progress.path.is_file()
    assert not progress.path.is_symlink()


@pytest.mark.parametrize("what", ["pipe", "sparse"])
def test_what_else_stands_in_its_place_is_refused_at_once(facts: Path, what: str) -> None:
    progress = Progress(facts, "somewhere", Access.OWNER)
    if what == "pipe":
        os.mkfifo(progress.path)
    else:
        with progress.path.open("wb") as file:
            file.truncate(300 * 1024**3)
    with facts.open("rb") as opened, pytest.raises(UsageError, match=progress.path.name):
        progress.resume(opened, 2)
