"""EUI-64: what devices and companies are known by. Source: DCC User Interface Specification."""

from __future__ import annotations

import re

_EUI64 = re.compile(r"[0-9A-Fa-f]{2}(-[0-9A-Fa-f]{2}){7}")


def eui64(text: str) -> str:
    """A Device ID or User ID in upper case; ValueError when it is not an EUI-64."""
    # not after upper(): it makes FF of the single character that printers set for ff
    if not _EUI64.fullmatch(text):
        raise ValueError("must be eight hyphenated hex octets, such as 90-B3-D5-1F-30-01-00-00")
    return text.upper()
