"""Meter point numbers: how they come in, how they are kept, and whether their check digits fit.

An MPRN is the same number with and without leading zeros: one system pads it to the width of its
column, the next does not. Taken for two meter points, a home would keep its former supplier. So
each number has one spelling here, and everything compares that.

A number whose check digits do not fit is one all the same: whoever refuses it tells nobody about
that home, and the DCC's own sample meter points do not check.

Source of the check digits: the industry's rules for MPAN and MPRN.
"""

from __future__ import annotations

import re
from operator import mul

SHORTEST_MPRN = 6
_MPAN = re.compile(r"[0-9]{13}")
_MPRN = re.compile(r"[0-9]{6,11}")
_MPAN_WEIGHTS = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)


def mpan(text: str) -> str:
    """An MPAN core of 13 digits; ValueError when it is not one."""
    if not _MPAN.fullmatch(text):
        raise ValueError("an MPAN has 13 digits")
    return text


def mprn(text: str) -> str:
    """An MPRN of 6 to 11 digits in its one spelling; ValueError when it is not one.

    That is without leading zeros; but those that make up the six digits that an MPRN has at least
    stay, so that whatever is kept, shown or exported can come in again.
    """
    if not _MPRN.fullmatch(text):
        raise ValueError("an MPRN has 6 to 11 digits, leading zeros counted")
    digits = text.lstrip("0")
    if not digits:
        raise ValueError("an MPRN is not zeros only")
    return digits.zfill(SHORTEST_MPRN)


def mpan_misfit(text: str) -> str | None:
    """What is wrong with the check digit of an MPAN, in words; None when it fits."""
    total = sum(map(mul, map(int, text), _MPAN_WEIGHTS))
    if total % 11 % 10 == int(text[12]):
        return None
    return "the MPAN's check digit (the last) does not fit; look for a typing error"


def mprn_misfit(text: str) -> str | None:
    """What is wrong with the check digits of an MPRN, in words; None when they fit.

    Weights count from the right, so leading zeros change nothing.
    """
    body, check = text[:-2], text[-2:]
    total = sum(map(mul, map(int, body), range(len(body), 0, -1)))
    if total % 11 == int(check):
        return None
    return "the MPRN's check digits (last two) do not fit; look for a typing error"
