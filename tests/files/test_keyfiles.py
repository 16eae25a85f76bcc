"""Keys and secrets as people and containers put them there: who else may read them."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from router.files.keyfiles import exposure, is_trusted, require_private, unreadable

ROOTS = Path("/etc/passwd")
"""Everywhere there, of root and for everybody to read."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "key"
    found.write_bytes(b"key")
    return found


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700, 0o440, 0o640])
def test_what_its_owner_or_our_group_may_read_is_private(file: Path, mode: int) -> None:
    file.chmod(mode)
    require_private(file)
    assert exposure(file) is None


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o604, 0o601, 0o620, 0o660, 0o666, 0o777])
def test_what_others_may_read_or_change_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ValueError, match="others may open") as caught:
        require_private(file)
    assert str(caught.value) == f"others may open {file} (mode {mode:04o}); run: chmod 600 {file}"
    assert exposure(file) is None


def test_another_group_is_others(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o440)
    group = file.stat().st_gid
    monkeypatch.setattr(os, "getegid", lambda: group + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [group + 2])
    with pytest.raises(ValueError, match=f"group {group}, which is none of ours"):
        require_private(file)
    monkeypatch.setattr(os, "getgroups", lambda: [group + 2, group])  # fsGroup is one of these
    require_private(file)


def test_what_root_mounted_read_only_is_used_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    require_private(ROOTS)
    doubt = exposure(ROOTS)
    assert doubt is not None
    assert doubt.startswith(f"others may open {ROOTS} (mode 0644); it is used, as root mounted it")


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A file on tmpfs, as Swarm and Kubernetes mount secrets."""
    number, name = tempfile.mkstemp(dir="/dev/shm")
    os.close(number)
    yield Path(name)
    Path(name).unlink()


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_what_root_put_into_memory_is_used_with_a_warning(in_memory: Path, mode: int) -> None:
    in_memory.chmod(mode)
    if os.geteuid() == 0:
        require_private(in_memory)
        assert exposure(in_memory) is not None
    else:  # it belongs to somebody who may be anybody
        with pytest.raises(ValueError, match="others may open"):
            require_private(in_memory)
        assert exposure(in_memory) is None


def test_what_anybody_may_write_in_memory_is_refused(in_memory: Path) -> None:
    in_memory.chmod(0o666)
    with pytest.raises(ValueError, match="others may open"):
        require_private(in_memory)


@pytest.mark.parametrize("name", ["none", "no\0name", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|is not a file"):
        require_private(tmp_path / name)
    assert exposure(tmp_path / name) is None


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="is not a file"):
        require_private(tmp_path / "pipe")


def test_who_may_not_read_is_told_whom_to_give_it_to(file: Path) -> None:
    told = unreadable(file, PermissionError(13, "Permission denied"))
    assert told == (
        f"{file} cannot be read: Permission denied; "
        f"give it to user {os.geteuid()}, or mode 0440 and group {os.getegid()}"
    )
    assert unreadable(file, OSError(5, "Input/output error")).endswith("Input/output error")


@pytest.mark.parametrize(("owner", "us"), [(0, 0), (0, 10001), (10001, 10001)])
def test_keys_of_root_and_of_ours_are_trusted(owner: int, us: int) -> None:
    assert is_trusted(owner, us)


@pytest.mark.parametrize(("owner", "us"), [(10001, 0), (10001, 10002)])
def test_keys_of_somebody_else_are_not(owner: int, us: int) -> None:
    assert not is_trusted(owner, us)


def test_a_key_of_somebody_else_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, 10001, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    owner = file.stat().st_uid
    with pytest.raises(ValueError, match=f"belongs to user {owner}, neither root nor us"):
        require_private(file)
