"""The lines of a file in which secrets may stand, covered but for what is known to be clean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from router.files.redaction import covered
from router.files.secrecy import bare, doubtful

LONGEST = 2_000
"""Characters of a line that is shown at all."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key or a value as it is written, and where it begins; rows and columns count from 0."""

    row: int
    column: int
    text: str

    def parts(self) -> Iterator[tuple[int, int, str]]:
        """What of it stands in which row, from which column on."""
        for number, part in enumerate(self.text.splitlines()):
            yield self.row + number, 0 if number else self.column, part


class Cover:
    """The same lines, character for character; what may be seen of them grows."""

    def __init__(self, text: str) -> None:
        self._source = [covered(line, kept="\t") for line in text.splitlines()]
        self._shown: list[list[str]] = [[] for _ in self._source]
        self._doubtful: list[tuple[Token, str]] = []

    def lay(self, tokens: Iterator[Token]) -> None:
        """Show what stands around these, and stars for them; comments are left out.

        Until then nothing is shown: in what is not YAML nobody knows what is a comment.
        """
        self._shown = [list(line) for line in self._source]
        for token in tokens:
            for row, column, part in token.parts():
                self._put(row, column, " " * len(part))
            for row, column, part in _without_comments(token).parts():
                self._put(row, column, "*" * len(part))
        for line in self._shown:
            if "#" in line:
                del line[line.index("#") :]

    def reveal(self, token: Token, key: str = "") -> bool:
        """Show a key, or the value of `key`, as far as it may be shown; whether all of it is."""
        plain = _without_comments(token)
        text = plain.text.strip("\"'")
        if key and ("://" in text or "url" in key):
            return self._reveal_url(plain)
        if key and doubtful(text):
            self._doubtful.append((plain, key))
            return False
        self._show(plain)
        return True

    def _reveal_url(self, token: Token) -> bool:
        """Its beginning, in the quotes that it has."""
        quote = token.text[:1] if token.text[:1] in {"'", '"'} else ""
        begun = bare(token.text.strip(quote))
        if not begun or "\n" in token.text:
            return False
        self._put(token.row, token.column, quote + begun)
        self._put(token.row, token.column + len(token.text) - len(quote), quote)
        return len(token.text) == len(begun) + 2 * len(quote)

    def trust(self) -> str:
        """The whole text when the file has no mistake: each value is then what its key says."""
        for token, _ in self._doubtful:
            self._show(token)
        return "\n".join("".join(row).rstrip() for row in self._shown) + "\n"

    def line(self, row: int) -> str:
        """A row as it may be shown; "" where nothing of it may."""
        if row >= len(self._shown) or len(self._shown[row]) > LONGEST:
            return ""
        line = "".join(self._shown[row])
        return line if any(each.isalnum() for each in line) else ""

    def _show(self, token: Token) -> None:
        for row, column, part in token.parts():
            self._put(row, column, part)

    def _put(self, row: int, column: int, part: str) -> None:
        if row < len(self._shown):  # a block ends behind the last row
            self._shown[row][column : column + len(part)] = part


def _without_comments(token: Token) -> Token:
    """A block (`|`, `>`) without the comments that may stand behind its head and below it."""
    if token.text[:1] not in {"|", ">"}:
        return token
    head, *rows = token.text.split("\n")
    indent = next((len(row) - len(row.lstrip()) for row in rows if row.strip()), 0)
    kept = [row for row in rows if not row.strip() or len(row) - len(row.lstrip()) >= indent]
    return Token(token.row, token.column, "\n".join([head.partition("#")[0], *kept]))
