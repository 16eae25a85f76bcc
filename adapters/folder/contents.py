"""What a file holds, as bytes by their place: as they stand there, or decompressed.

A .gz is taken apart in small pieces as it grows, in bounded memory whatever it expands to. The
gzip module would not do: it gives up where a file ends for now, and what it had read is gone.
"""

from __future__ import annotations

import zlib

from adapters.folder.look import is_gzipped
from adapters.folder.openfile import OpenFile

RAW = 8_192
"""Compressed bytes taken at once."""
PIECE = 65_536
"""Decompressed bytes that are made at once."""
_MEMBER = b"\x1f\x8b"
_HEAD = 512
"""Bytes that show what a file is."""
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r"})
"""What no text has."""


def contents(file: OpenFile, name: str, end: int) -> PlainContents | GzipContents:
    """What the file holds up to `end`, as its first bytes say, and not its name.

    A name may be wrong, and be mended later. It counts only where the first bytes are neither
    gzip nor text: what is called a .gz is a broken one then.
    """
    head = file.read(0, min(_HEAD, end))
    text = bool(head) and len(head.translate(None, _CONTROLS)) == len(head)
    gzipped = head.startswith(_MEMBER) or (is_gzipped(name) and not text)
    found = (GzipContents if gzipped else PlainContents)(file)
    found.end = end
    return found


class PlainContents:
    """The bytes as they stand there, up to `end`."""

    trouble = ""
    """Never any; see GzipContents."""
    cut = False

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.end = 0

    def read(self, position: int, size: int) -> bytes:
        """Less than `size` only at the end."""
        return self._file.read(position, max(0, min(size, self.end - position)))


class GzipContents:
    """The decompressed bytes of the first `end` compressed ones, by their place.

    Reading on is cheap, going back behind what was asked for last begins from the start.
    """

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.end = 0
        self._begin()

    def _begin(self) -> None:
        self.trouble = ""
        """Why nothing behind what was read can be read; empty while all is well."""
        self._inflater = zlib.decompressobj(wbits=31)
        self._taken = 0
        self._waiting = b""
        self._full = False
        self._made = bytearray()
        self._position = 0
        """Of the first byte that is kept."""

    @property
    def cut(self) -> bool:
        """Whether it ends before it should: it is still being written, or was cut."""
        return not self.trouble and not self._inflater.eof

    def read(self, position: int, size: int) -> bytes:
        """Less than `size` only where it ends, for now or for good, or is broken."""
        if position < self._position:
            self._begin()
        while self._position + len(self._made) < position + size:
            piece = self._inflate()
            if not piece:
                break
            self._made += piece
            self._drop(position)
        self._drop(position)
        start = position - self._position
        return bytes(self._made[start : start + size])

    def _drop(self, position: int) -> None:
        before = min(position - self._position, len(self._made))
        del self._made[:before]
        self._position += before

    def _inflate(self) -> bytes:
        """The next bytes; none where it ends or is broken."""
        while not self.trouble and (not self._inflater.eof or self._next_member()):
            raw = self._waiting or self._take()
            if not raw and not self._full:
                break
            piece = self._step(raw)
            if piece:
                return piece
        return b""

    def _take(self) -> bytes:
        raw = self._file.read(self._taken, max(0, min(RAW, self.end - self._taken)))
        self._taken += len(raw)
        return raw

    def _step(self, raw: bytes) -> bytes:
        before = self._inflater.copy()
        try:
            piece = self._inflater.decompress(raw, PIECE)
        except zlib.error as error:
            self.trouble = str(error)
            return _before_the_error(before, raw)
        self._waiting = self._inflater.unused_data or self._inflater.unconsumed_tail
        self._full = len(piece) == PIECE  # and there may be more of it without further input
        return piece

    def _next_member(self) -> bool:
        """Whether another one follows; zeros in between only fill up."""
        while len(rest := self._waiting.lstrip(b"\0")) < len(_MEMBER):
            more = self._take()
            if not more:
                return False
            self._waiting = rest + more
        if not rest.startswith(_MEMBER):
            self.trouble = "what follows its end is not gzip"
            return False
        self._inflater, self._waiting, self._full = zlib.decompressobj(wbits=31), rest, False
        return True


def _before_the_error(inflater: zlib._Decompress, raw: bytes) -> bytes:
    """What can be read of a piece that is broken somewhere."""
    piece = bytearray()
    try:
        for number in range(len(raw)):
            piece += inflater.decompress(raw[number : number + 1])
    except zlib.error:
        pass
    return bytes(piece)
