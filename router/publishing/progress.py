"""What of a file is confirmed, in a small file beside it, so that publishing can go on there.

It is written after each confirmed chunk, so it may be behind by one chunk and is never ahead: a
chunk that is sent again does no harm, as a fact with the same id is decided once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.errors import PublishError, UsageError
from router.files.newfiles import Access, make_file
from router.files.plainfile import open_plain
from router.publishing.lines import Line, Mark

LARGEST = 65_536
"""Bytes of the small file."""
BLOCK = 1024 * 1024
"""Bytes that are hashed at once."""


class _Stored(BaseModel):
    """The small file."""

    model_config = ConfigDict(strict=True, extra="forbid")

    lines: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: str
    """Of so many bytes from the beginning: tells whether they are still the same."""
    target: str
    """Where they went."""


class Progress:
    """How far one file is confirmed at one target."""

    def __init__(self, file: Path, target: str, access: Access) -> None:
        self.path = file.with_name(f"{file.name}.published")
        """The small file."""
        self.mark = Mark()
        """Behind the last confirmed line."""
        self._file = file
        self._target = target
        self._access = access
        self._digest = hashlib.sha256()
        self._part = file.with_name(f".{file.name}.published.part")

    def resume(self, opened: BinaryIO, size: int) -> None:
        """Take up what is remembered. UsageError when it does not fit the file or the target."""
        stored = self._stored()
        if stored is None or stored.bytes == 0:
            return
        told = f"{self.path} says that {stored.lines:,} lines"
        if stored.target != self._target:
            raise UsageError(
                f"{told} went to {stored.target}; --again publishes all of them to {self._target}"
            )
        if stored.bytes <= size:
            self._hash(opened, stored.bytes)
        if stored.bytes > size or self._digest.hexdigest() != stored.sha256:
            raise UsageError(
                f"{told} were published, but {self._file} does not begin with these lines any"
                f" more; --again publishes it from its beginning"
            )
        self.mark = Mark(stored.lines, stored.bytes)
        self._skip_end(opened, size)

    def require_writable(self) -> None:
        """UsageError when nothing could be remembered, before anything is sent."""
        try:
            for file in (self._part, self.path):
                if file.is_symlink():
                    raise OSError(0, f"{file} is a symbolic link, which is not followed")
            self._make().close()
            self._part.unlink()
            if self.path.exists() and not self.path.is_file():
                raise IsADirectoryError(0, "not a file")
        except OSError as error:
            raise UsageError(
                f"{self.path}, which remembers what is confirmed, cannot be written"
                f" ({error.strerror}); see to the permissions of its folder, or copy"
                f" {self._file.name} to a folder of yours"
            ) from None

    def save(self) -> None:
        """Remember how far it is. PublishError when that fails."""
        text = _Stored(
            lines=self.mark.lines,
            bytes=self.mark.bytes,
            sha256=self._digest.hexdigest(),
            target=self._target,
        ).model_dump_json(indent=1)
        try:
            # Not synced: what a power cut takes away is published again, which does no harm.
            with self._make() as out:
                out.write(f"{text}\n".encode())
            self._part.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                self._part.unlink()
            raise PublishError(f"{self.path} cannot be written: {error.strerror}") from None

    def confirmed(self, lines: Sequence[Line]) -> None:
        """These, which follow the mark, are confirmed (or blank)."""
        for line in lines:
            self._digest.update(line.raw)
        size = sum(line.size for line in lines)
        self.mark = Mark(self.mark.lines + len(lines), self.mark.bytes + size)
        self.save()

    def _make(self) -> BinaryIO:
        """In place of what a killed process left."""
        self._part.unlink(missing_ok=True)
        return make_file(self._part, self._access)

    def _stored(self) -> _Stored | None:
        try:
            with open_plain(self.path, follow=False) as opened:
                return _Stored.model_validate(json.loads(opened.read(LARGEST)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, ValidationError, RecursionError):
            raise UsageError(
                f"{self.path} is not what `hubherald publish` wrote; --again publishes"
                f" {self._file.name} from its beginning"
            ) from None

    def _hash(self, opened: BinaryIO, count: int) -> None:
        opened.seek(0)
        while count and (data := opened.read(min(BLOCK, count))):
            self._digest.update(data)
            count -= len(data)

    def _skip_end(self, opened: BinaryIO, size: int) -> None:
        """A last line without its end was published; that end may be there now, and no more."""
        opened.seek(self.mark.bytes - 1)
        if self.mark.bytes == size or opened.read(1) == b"\n":
            return
        rest = opened.readline(BLOCK)
        if rest.strip():
            raise UsageError(
                f"line {self.mark.lines:,} of {self._file} has grown since it was published;"
                f" --again publishes the file from its beginning"
            )
        self._digest.update(rest)
        self.mark = Mark(self.mark.lines, self.mark.bytes + len(rest))
