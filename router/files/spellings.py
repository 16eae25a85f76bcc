"""A text as it is and as it reads once what programs escape is undone. Pure, and linear in time.

Whoever repeats a text puts it into a URL, into JSON, HTML or base64, or into several of these. Not
each spelling of what is looked for is tried, which would be endless, but the text is read in each.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LAYERS = 4
"""How often a text is read anew, if need be: JSON in JSON in HTML in a URL."""
_ESCAPE = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+"
    r"|(?:\\x[0-9A-Fa-f]{2})+"
    r"|(?:[%\\]u[0-9A-Fa-f]{4})+"
    r"|\\U[0-9A-Fa-f]{8}"
    r"|\\[\\/\"'bfnrt]"
    r"|&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});"
)
_CUT_ESCAPE = re.compile(r"(?:%u?[0-9A-Fa-f]{0,3}|\\[uxU]?[0-9A-Fa-f]{0,7}|&\#?[A-Za-z0-9]{0,8})$")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Rendition:
    """A text as it reads, and where in the original each of its characters is written."""

    text: str
    starts: Sequence[int]
    """One more than there are characters: the last is where the original ends."""


def renditions(text: str) -> Iterator[Rendition]:
    """The text as it is, and as it reads with one layer of escapes less each time."""
    found: Rendition | None = Rendition(text, range(len(text) + 1))
    for _ in range(1 + LAYERS):
        if found is None:
            return
        yield found
        found = _undone(found)


def uncut(text: str) -> str:
    """What was cut, without the beginning of an escape at its end."""
    return _CUT_ESCAPE.sub("", text)


def folded(text: str) -> str:
    """The text without regard to case, character for character; a `+` may stand for a space."""
    if text.isascii():
        return text.lower().replace("+", " ")
    folds = (low if len(low := each.casefold()) == 1 else each for each in text)  # no `lower`: İ
    return "".join(folds).replace("+", " ")


def in_base64(text: str) -> Iterator[tuple[int, int, str]]:
    """What may be base64: from where to where it stands, and what it may say.

    What stands before it may look as if it belonged to it, so it is read from each of four places.
    """
    for found in _BASE64.finditer(text):
        letters = found[0].rstrip("=").translate(_ALPHABET)
        for offset in range(4):
            part = letters[offset:]
            part = part[:-1] if len(part) % 4 == 1 else part
            said = b64decode(part + "=" * (-len(part) % 4))
            yield found.start(), found.end(), said.decode(errors="replace")


def _undone(rendition: Rendition) -> Rendition | None:
    """With one layer of escapes less; None where there is none."""
    pieces: list[str] = []
    starts: list[int] = []
    end = 0
    for found in _ESCAPE.finditer(rendition.text):
        pieces.append(rendition.text[end : found.start()])
        starts += rendition.starts[end : found.start()]
        at = found.start()
        for meant, width in _meant(found[0]):
            pieces.append(meant)
            starts.append(rendition.starts[at])
            at += width
        end = found.end()
    if not end:
        return None
    pieces.append(rendition.text[end:])
    starts += rendition.starts[end:]
    return Rendition("".join(pieces), starts)


def _meant(escape: str) -> Iterator[tuple[str, int]]:
    """The characters of an escape, each with how many of it are written for it."""
    match escape[:2]:
        case "%u" | r"\u":
            yield from _of_units([int(each, 16) for each in re.split(r"[%\\]u", escape)[1:]])
        case r"\U":
            number = int(escape[2:], 16)
            yield chr(number) if number < 0x11_0000 else "\ufffd", len(escape)
        case r"\x":
            yield from _of_bytes(bytes.fromhex(escape.replace(r"\x", "")), 4)
        case _ if escape[0] == "%":
            yield from _of_bytes(bytes.fromhex(escape.replace("%", "")), 3)
        case _ if escape[0] == "\\":
            yield _SHORT.get(escape[1], escape[1]), 2
        case _:
            meant = html.unescape(escape)
            yield from ((each, len(escape) // len(meant)) for each in meant)


def _of_bytes(written: bytes, width: int) -> Iterator[tuple[str, int]]:
    """Of UTF-8; what is none is read as Latin-1."""
    try:
        text = written.decode()
    except UnicodeDecodeError:
        text = written.decode("latin-1")
        yield from ((each, width) for each in text)
        return
    yield from ((each, width * len(each.encode())) for each in text)


def _of_units(units: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Of UTF-16, six characters each."""
    written = b"".join(unit.to_bytes(2, "big") for unit in units)
    for each in written.decode("utf-16-be", errors="surrogatepass"):
        yield each, 12 if ord(each) > 0xFFFF else 6
