"""JSON in one fixed form: compact, ASCII, keys as they stand. What is hashed and sent is of it.

orjson is several times as fast as the standard library's encoder, which old ledgers were hashed
with; where the two would differ, the standard library's form counts.
"""

from __future__ import annotations

import json

import orjson

_PLAIN = json.JSONEncoder(separators=(",", ":"), default=bytes.hex).encode


def compact(value: object) -> bytes:
    """`value` in that form, bytes in it as hexadecimal digits.

    Only for values without floating point numbers, which have more than one form. TypeError for
    what JSON has no form for.
    """
    try:
        found = orjson.dumps(value, default=bytes.hex)
    except orjson.JSONEncodeError:  # a number of more than 64 bits, half of a character
        return _PLAIN(value).encode()
    same = found.isascii() and b"\x7f" not in found  # which the standard library escapes
    return found if same else _PLAIN(value).encode()
