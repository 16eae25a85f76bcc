"""What was probably meant, and where several things stand."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` when one of `known` is close, else what there is to choose from."""
    names = sorted(known)
    close = closest(word, names)
    if close:
        return f"; did you mean {close!r}?"
    return f"; known here: {', '.join(names)}" if names else ""


def closest(word: str, known: Iterable[str]) -> str:
    """Which of `known` is probably meant by `word`; "" when none is close."""
    names = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    within = [name for name in names if len(word) > 3 and (word.lower() in name)]
    return next((names[each] for each in (*close, *within)), "")


def lines(numbers: Iterable[int]) -> str:
    """`line 4`, `lines 4 and 7` or `lines 4, 5 and 7`: where several things stand."""
    *most, last = map(str, sorted(set(numbers)))
    return f"lines {', '.join(most)} and {last}" if most else f"line {last}"
