"""Alerts into a folder: one JSON file each, which is there whole or not at all.

The simplest channel there is, for trials, for archives and for programs that watch a folder.
"""

from __future__ import annotations

import os
import stat
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from router.ports import (
    Access,
    Adapter,
    Aside,
    Delivered,
    Delivery,
    Options,
    Outcome,
    Reason,
    Refused,
    Retry,
    make_file,
    make_folder,
    open_plain,
)

UNFINISHED = ".part"
STALE_S = 3600.0
"""An unfinished file this old was left by a process that died."""


class FolderOptions(Options):
    """What a folder takes in service_users.yaml."""

    path: Annotated[Path, Field(description="the folder; made when it is missing")]
    access: Annotated[
        Access, Field(description="who may open what is made there: owner, or its group too")
    ] = Access.OWNER


class FolderAdapter(Adapter[FolderOptions]):
    """Writes each Alert to a file of its own, `<alert id>.json`.

    In one thread of its own: a disk that hangs stalls only this lane.
    """

    Config = FolderOptions
    batch: int = 64
    """One sync of the folder serves all of them."""

    def __init__(self, config: FolderOptions) -> None:
        self._folder = config.path
        self._access = config.access
        self._thread = Aside(f"folder {config.path}")

    async def __aenter__(self) -> Self:
        self._thread.submit(
            _prepare, self._folder, self._access
        )  # not awaited: a disk may hang from the start
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return await self._thread.call(_write_all, self._folder, deliveries, self._access)


def _prepare(folder: Path, access: Access) -> None:
    # A folder that can't be made is this channel's trouble, not a reason for the router not to
    # start: each delivery tries again and says what is wrong.
    with suppress(OSError):
        make_folder(folder, access)
        for left in folder.glob(f".*{UNFINISHED}"):
            if left.stat().st_mtime < time.time() - STALE_S:
                left.unlink()


def _write_all(folder: Path, deliveries: Sequence[Delivery], access: Access) -> list[Outcome]:
    try:
        make_folder(folder, access)
        outcomes = [_write(folder, delivery, access) for delivery in deliveries]
        _sync(folder)
    except OSError as error:
        return [_retry(folder, error)] * len(deliveries)
    return outcomes


def _write(folder: Path, delivery: Delivery, access: Access) -> Outcome:
    # Named after the id alone: nothing that came from outside reaches a path.
    path = folder / f"{delivery.alert.id}.json"
    unfinished = folder / f".{path.name}.{uuid.uuid4().hex}{UNFINISHED}"
    try:
        if os.path.lexists(path):
            return _again(path, delivery.body)
        try:
            with make_file(unfinished, access) as file:
                file.write(delivery.body)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        return _retry(folder, error)
    return Delivered(path.name)


def _again(path: Path, body: bytes) -> Outcome:
    """The file is there from an attempt whose end nobody heard of; or it is something else."""
    what = "there with other content"
    try:
        with open_plain(path, follow=False) as file:
            if file.read(len(body) + 1) == body:
                return Delivered(path.name)
    except OSError:
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            raise  # unreadable, and perhaps not for long
        link = "a symbolic link" if stat.S_ISLNK(mode) else "not a plain file"
        what = "a folder" if stat.S_ISDIR(mode) else link
    detail = f"{path.name} is {what}; move it away, then retry the Alert"
    return Refused(Reason.STORAGE, detail)


def _sync(folder: Path) -> None:
    """Make the new names last: a rename alone may be forgotten when the power fails."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _retry(folder: Path, error: OSError) -> Outcome:
    return Retry(Reason.STORAGE, f"{folder}: {error.strerror}; see to space and permissions")
