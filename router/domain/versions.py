"""The order of firmware versions: they are texts, and compare by their parts."""

from __future__ import annotations

import re

VersionPlace = tuple[tuple[bool, int, str], ...]
"""Where a version stands in the order: whether each part is a word, its number, the word."""
_HEX8 = re.compile(r"[0-9A-Fa-f]{8}")
_SEPARATORS = re.compile(r"[._-]")


def compare_versions(one: str, other: str) -> int:
    """-1, 0 or 1 as `one` is older than, the same as or newer than `other`.

    Two versions of eight hex digits compare as numbers. Others are split at `.`, `-` and `_` and
    compared part by part: digits as numbers, numbers before words, a missing part first. So
    1.9 < 1.10, 01020304 < A1B2C3D4, 9001 < 9010, 1.2 < 1.2.1 < 1.2.rc.

    Versions that differ as text can have the same place (1.2 and 01.2).
    """
    mine, theirs = version_place(one), version_place(other)
    return (mine > theirs) - (mine < theirs)


def version_place(version: str) -> VersionPlace:
    """Where a version stands in the order.

    Eight hex digits are a number beside other versions too; else the order would go round
    (0000000A < 00000010 < 11 < 0000000A). Reading all digits as hex keeps the order of decimal
    numbers and makes both kinds comparable.
    """
    if _HEX8.fullmatch(version):
        return ((False, int(version, 16), ""),)
    return tuple(
        (False, int(part, 16), "") if part.isascii() and part.isdigit() else (True, 0, part)
        for part in _SEPARATORS.split(version)
    )
