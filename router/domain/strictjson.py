"""JSON from outside, read strictly: what Python's reader would let pass is refused.

Of two values under one key another program may take the other one; NaN is not JSON; half of a
surrogate pair can't be written down again. A byte order mark in front, as Windows writes it, is
no part of it (RFC 8259, 8.1).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


class MalformedJson(Exception):
    """It is no JSON object, and why, in words that show nothing hostile."""


def decode(body: bytes) -> dict[str, Any]:
    """The object that stands in `body`; MalformedJson when there is none."""
    require_utf8(body)
    try:
        text = body.decode("utf-8").lstrip("\ufeff")
        event = _DECODER.decode(text)
        if "\\u" in text:  # only so can half of a surrogate pair come in
            json.dumps(event, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise MalformedJson(f"not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise MalformedJson("not JSON: a \\u escape in it is half of a character") from None
    except RecursionError:
        raise MalformedJson("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(_in_words(error)) from None
    except ValueError as error:
        raise MalformedJson(f"not JSON: {str(error)[:100]}") from None
    if isinstance(event, str):
        raise MalformedJson("not a JSON object; it is text, perhaps encoded twice")
    if not isinstance(event, dict):
        raise MalformedJson("not a JSON object")
    return event


def require_utf8(body: bytes) -> None:
    """MalformedJson when it can't be text in UTF-8; only its beginning is looked at."""
    if body.startswith(b"\0\0\0\0"):
        raise MalformedJson(
            "begins with zero bytes, which are no text: was a file emptied or cut while somebody"
            " wrote it?"
        )
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        raise MalformedJson(
            f"{encoding[:6].upper()}, not UTF-8: whoever writes it has to change that"
        )


def _in_words(error: json.JSONDecodeError) -> str:
    if not error.doc.strip(_SPACE):
        return "not JSON: nothing stands there"
    if error.msg != "Extra data":
        return f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos}"
    follows = error.doc[error.pos]
    if follows == "\0":
        return f"zero bytes stand behind its JSON value, at character {error.pos}"
    if follows == "\ufeff":
        return (
            f"more than one JSON value, with a byte order mark between them at character"
            f" {error.pos}: files were joined without a line end"
        )
    return f"more than one JSON value, the next at character {error.pos}{behind_cr(error)}"


def behind_cr(error: json.JSONDecodeError) -> str:
    """What to do where the next value stands behind a CR, as old Macs end lines; or nothing."""
    before = error.doc[: error.pos]
    between = before[len(before.rstrip(_SPACE)) :]
    return ENDS_BY_CR if "\r" in between and "\n" not in between else ""


_SPACE = " \t\r\n"
ENDS_BY_CR = "; lines end by LF, not by CR alone"


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise MalformedJson(f"duplicate key {twice[:40]!r}")
    return result


def _no_constant(word: str) -> Any:
    raise MalformedJson(f"{word} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
