"""Files that nobody else may read: keys and secrets, as people and containers put them there.

Kubernetes gives a pod's group its secrets (fsGroup, 0440); Docker and Swarm mount them for all
(0444), read-only or in memory: there only the container's own processes can look, and no chmod
is to be had.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = {"tmpfs", "ramfs"}


def require_private(file: Path) -> None:
    """ValueError unless the file is there, ours or root's, and closed to others or mounted for us
    by root."""
    status = _status(file)
    if not is_trusted(status.st_uid, os.geteuid()):
        raise ValueError(
            f"{file} belongs to user {status.st_uid}, neither root nor us, who could exchange it; "
            f"run: chown {os.geteuid()} {file}"
        )
    if _open_to_others(status, _our_groups()) and not _mounted_by_root(file, status):
        raise ValueError(f"{_opened(file, status)}; run: chmod 600 {file}")


def exposure(file: Path) -> str | None:
    """What is doubtful about a key or secret that `require_private` lets pass; None: nothing."""
    try:
        status = _status(file)
    except ValueError:
        return None
    if not _open_to_others(status, _our_groups()) or not _mounted_by_root(file, status):
        return None
    why = "it is used, as root mounted it read-only or in memory"
    return f"{_opened(file, status)}; {why}; mode 0440 and our group would close it"


def world_readable(file: Path) -> str | None:
    """The mode of a file, for people, where everybody on this machine may read it; else None."""
    try:
        status = _status(file)
    except ValueError:
        return None
    if not status.st_mode & 0o004 or _mounted_by_root(file, status):
        return None
    return _mode(status)


def unreadable(file: Path, error: OSError) -> str:
    """Why a key or secret can't be read, for people, and whom it has to belong to instead."""
    told = f"{file} cannot be read: {error.strerror}"
    if isinstance(error, PermissionError):
        return f"{told}; give it to user {os.geteuid()}, or mode 0440 and group {os.getegid()}"
    return told


def is_trusted(owner: int, us: int) -> bool:
    """Whether the owner of a file may decide which key we use: root, or who we are."""
    return owner in {0, us}


def _status(file: Path) -> os.stat_result:
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise ValueError(f"{file} cannot be read: {why}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{file} is not a file")
    return status


def _opened(file: Path, status: os.stat_result) -> str:
    mode = _mode(status)
    if not status.st_mode & 0o007 and status.st_gid not in _our_groups():
        mode += f", group {status.st_gid}, which is none of ours"
    return f"others may open {file} ({mode})"


def _mode(status: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(status.st_mode):04o}"


def _our_groups() -> set[int]:
    return {os.getegid(), *os.getgroups()}


def _open_to_others(status: os.stat_result, groups: Collection[int]) -> bool:
    """A group of the process's own may read; what it may write, somebody else has made."""
    others = 0o027 if status.st_gid in groups else 0o077
    return bool(status.st_mode & others)


def _mounted_by_root(file: Path, status: os.stat_result) -> bool:
    """Whether root put it where nobody can change it, or in memory to be read."""
    if status.st_uid != 0:
        return False
    try:
        if os.statvfs(file).f_flag & os.ST_RDONLY:
            return True
        writable = status.st_mode & 0o022
        return not writable and _file_system(status.st_dev, _MOUNTS.read_text()) in _IN_MEMORY
    except OSError:
        return False


def _file_system(device: int, mounts: str) -> str:
    """The kind of file system that is mounted from a device; empty where it is not to be found."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if left.split(" ")[2:3] == [number]:
            return right.split(" ")[0]
    return ""
