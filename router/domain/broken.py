"""What can be read of a body that is no fact: the hub that it is about.

Whoever asks why nobody was told of a hub must find what was sent about it, however broken.
"""

from __future__ import annotations

import re

_NAMED = re.compile(
    rb"""(?ix) \b device [ _-]? id ["'\\]* \s* [:=] \s* ["'\\]*
    ( [0-9a-f]{2} (?: [-:]? [0-9a-f]{2} ){7} ) (?! [0-9a-f:-] )"""
)


def device_named(body: bytes) -> str | None:
    """The Device ID that a body names, in the usual spelling; None where it names none, or several.

    However it is spelled: lower case, colons or nothing between the octets, other quotes.
    """
    found = {re.sub(rb"[-:]", b"", each).upper().decode() for each in _NAMED.findall(body)}
    if len(found) != 1:
        return None
    (digits,) = found
    return "-".join(digits[place : place + 2] for place in range(0, 16, 2))
