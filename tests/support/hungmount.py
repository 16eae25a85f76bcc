"""A file system that never answers: what a mount is whose server has gone away."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def hung_mount(folder: Path) -> Iterator[Path]:
    """Whoever looks into `folder` waits until the end, and then reads that there is nothing.

    A FUSE without anybody who answers; for root, as containers and CI run tests.
    """
    folder.mkdir()
    with Path("/dev/fuse").open("r+b", buffering=0) as nobody:
        options = f"fd={nobody.fileno()},rootmode=40000,user_id=0,group_id=0,allow_other"
        target = os.fsencode(folder)
        if _libc.mount(b"nobody", target, b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "this test mounts a FUSE and has to be root")
        try:
            yield folder
        finally:
            _libc.umount2(target, _DETACH)
