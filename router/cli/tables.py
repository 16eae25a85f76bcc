"""Tables that fit where they are read: folded between words, never in one. Pure.

Ids and positions are copied, so nothing is cut. What does not fit side by side goes over several
lines, and where not even the longest words do, each row is a block of lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len

GAP = 2
"""Blanks between two columns."""
EMPTY = "-"
"""What stands where there is nothing to tell."""

Cells = Sequence[str]


def laid_out(
    heads: Cells, rows: Sequence[Cells], width: int | None
) -> tuple[Sequence[str], Sequence[str]]:
    """The lines of a table's heads, which blocks have none of, and of its rows.

    `width` is in cells of the terminal; None where lines may be of any length. Columns in which
    nothing stands are left out where there is not enough room.
    """
    natural = _widths([heads, *rows], words=False)
    if width is None or _sum(natural) <= width:
        return list(_lines(heads, natural)), list(_each(rows, natural))
    told = [
        place for place in range(len(heads)) if any(row[place] != EMPTY for row in rows)
    ] or list(range(len(heads)))
    heads = [heads[place] for place in told]
    rows = [[row[place] for place in told] for row in rows]
    widths = _fitted([heads, *rows], width)
    if widths is None:
        return [], list(_blocks(heads, rows, width))
    return list(_lines(heads, widths)), list(_each(rows, widths))


def _fitted(rows: Sequence[Cells], width: int) -> list[int] | None:
    """The widest give way first, down to their longest word; None where that is too wide."""
    widths, least = _widths(rows, words=False), _widths(rows, words=True)
    if _sum(least) > width:
        return None
    while (over := _sum(widths) - width) > 0:
        may = [place for place in range(len(widths)) if widths[place] > least[place]]
        widest = max(may, key=widths.__getitem__)
        next_ = max((widths[place] for place in may if widths[place] < widths[widest]), default=0)
        widths[widest] -= max(1, min(over, widths[widest] - max(next_, least[widest])))
    return widths


def _widths(rows: Sequence[Cells], *, words: bool) -> list[int]:
    """Of each column: its longest cell, or the longest word in it."""
    return [
        max(cell_len(text) for cell in column for text in (cell.split(" ") if words else [cell]))
        for column in zip(*rows, strict=True)
    ]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _each(rows: Sequence[Cells], widths: Sequence[int]) -> Iterator[str]:
    for row in rows:
        yield from _lines(row, widths)


def _lines(cells: Cells, widths: Sequence[int]) -> Iterator[str]:
    """One row, over as many lines as its highest cell needs."""
    folded = [fold(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, folded))):
        texts = [each[number] if number < len(each) else "" for each in folded]
        padded = (
            text + " " * (width - cell_len(text)) for text, width in zip(texts, widths, strict=True)
        )
        yield (" " * GAP).join(padded).rstrip()


def _blocks(heads: Cells, rows: Sequence[Cells], width: int) -> Iterator[str]:
    """Each row's cells below each other, with their heads."""
    indent = max(map(cell_len, heads)) + GAP
    for number, row in enumerate(rows):
        if number:
            yield ""
        for head, cell in zip(heads, row, strict=True):
            if cell == EMPTY:
                continue
            first, *more = fold(cell, max(width - indent, 1))
            yield head + " " * (indent - cell_len(head)) + first
            yield from (" " * indent + line for line in more)


def fold(text: str, width: int) -> list[str]:
    """The text over lines of at most so many cells; a longer word stands alone, whole."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
