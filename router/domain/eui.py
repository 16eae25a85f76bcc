"""EUI-64: what devices and companies are known by. Source: DCC User Interface Specification."""

from __future__ import annotations

import re

_EUI64 = re.compile(r"[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){7}")


_BARE = re.compile(r"[0-9A-Fa-f]{16}")
_BETWEEN = re.compile(r"[-:. ]")


def eui64(text: str) -> str:
    """A Device ID or User ID in upper case; ValueError when it is not an EUI-64."""
    # not after upper(): it makes FF of the single character that printers set for ff
    if not _EUI64.fullmatch(text):
        raise ValueError("must be eight hyphenated hex octets, such as 90-B3-D5-1F-30-01-00-00")
    return text.upper()


def spelled(text: str) -> str:
    """The same as people may write it: with hyphens, colons, dots or blanks between, or nothing."""
    bare = _BETWEEN.sub("", text.strip())
    if not _BARE.fullmatch(bare):
        return eui64(text)
    return eui64("-".join(bare[at : at + 2] for at in range(0, 16, 2)))
