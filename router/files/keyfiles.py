"""Files that nobody but their owner may read: keys and secrets."""

from __future__ import annotations

import stat
from pathlib import Path


def require_private(file: Path) -> None:
    """ValueError unless the file is there and closed to everybody but its owner."""
    try:
        status = file.stat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise ValueError(f"{file} cannot be read: {why}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{file} is not a file")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise ValueError(f"others may open {file} (mode {mode:04o}); run: chmod 600 {file}")
