"""What slips of the keyboard make of files that were right, and files that never were."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

_PIECES = [b"\t", b"\r", b"\x00", b"\xff", b"- ", b": ", b" #", b'"', b"'", b"[", b"]", b"{", b"}"]
_PIECES += [b"not:\n", b"any:\n", b"all: ", b"not ", b"*x", b"&x ", b"!!int ", b"---\n", b"5"]
_PIECES += [
    b"~",
    b"true",
    b"1.10",
    b"''",
    b"\n",
    b"  ",
    b"|\n",
    b">-\n",
    b"? ",
    b"%",
    b"${X}",
    b"${",
]
_PIECES += ["“é𝒳\u2028\u0085\ufeff".encode(), b"9" * 5000, b"[" * 50, b"x" * 3000, b"or", b"N64"]
_SIGNS = [
    b"==",
    b"!=",
    b"<",
    b"<=",
    b">",
    b">=",
    b"in",
    b"not in",
    b"startswith",
    b"has",
    b"exists",
]
_SIGN = re.compile(rb"==|!=|<=|>=|<|>|\bnot in\b|\bin\b|\bstartswith\b|\bhas\b|\bexists\b")
_TOKEN = re.compile(rb"[A-Za-z0-9_.-]+|[ \n]+|[^A-Za-z0-9_. \n-]+")


@st.composite
def slips(draw: st.DrawFn, text: bytes) -> bytes:
    """A file after a few slips."""
    for _ in range(draw(st.integers(1, 3))):
        slip = draw(st.sampled_from([_bytes, _lines, _tokens, _signs]))
        text = draw(slip(text))
    return text


@st.composite
def _bytes(draw: st.DrawFn, text: bytes) -> bytes:
    at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 5))
    piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=3) | st.just(text[at : at + length]))
    return draw(
        st.sampled_from(
            [
                text[:at] + piece + text[at:],
                text[:at] + piece + text[at + length :],
                text[:at] + text[at + length :],
                text[:at],
            ]
        )
    )


@st.composite
def _lines(draw: st.DrawFn, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    number = st.integers(0, len(lines) - 1)
    at, other = draw(number), draw(number)
    kept = [*lines[:at], *lines[at + 1 :]]
    indented = draw(st.sampled_from([b" " + lines[at], lines[at].lstrip(), b"# " + lines[at]]))
    return b"".join(
        draw(
            st.sampled_from(
                [
                    kept,
                    [*lines[:other], lines[at], *lines[other:]],
                    [*kept[:other], lines[at], *kept[other:]],
                    [*lines[:at], indented, *lines[at + 1 :]],
                ]
            )
        )
    )


@st.composite
def _tokens(draw: st.DrawFn, text: bytes) -> bytes:
    tokens = _TOKEN.findall(text) or [b""]
    number = st.integers(0, len(tokens) - 1)
    at, other = draw(number), draw(number)
    replacing = st.sampled_from([b"", tokens[other], tokens[at] * 2, tokens[at].swapcase()])
    tokens[at] = draw(replacing | st.sampled_from(_PIECES))
    return b"".join(tokens)


@st.composite
def _signs(draw: st.DrawFn, text: bytes) -> bytes:
    found = list(_SIGN.finditer(text))
    if not found:
        return text
    sign = draw(st.sampled_from(found))
    return text[: sign.start()] + draw(st.sampled_from(_SIGNS)) + text[sign.end() :]


_KEYS = ["rules", "name", "description", "when", "alert", "suppress", "any", "all", "not", "tests"]
_KEYS += [
    "given",
    "expect",
    "service_users",
    "id",
    "roles",
    "channels",
    "adapter",
    "sources",
    "dcc",
]
_KEYS += [
    "rules ",
    "",
    "a: b",
    "hub",
    "users",
    "activation",
    "at",
    "alerts",
    "without",
    "operations",
]
_WORDS = [
    "a-rule",
    "N64",
    "hub.model exists",
    'hub.status == "Pending"',
    "not hub.model exists",
    "",
]
_WORDS += ['recipient.role in ["gas_supplier"]', 'hub.status == "pending"', "log", "folder", "duis"]
_WORDS += ["90-B3-D5-1F-30-01-00-01", "import_supplier", "2026-06-01T12:00:00Z", "${X}", "\x1b[2J"]


def documents() -> st.SearchStrategy[bytes]:
    """Well-formed YAML of the words that our files are made of, in any arrangement."""
    plain: st.SearchStrategy[Any] = st.sampled_from(_WORDS) | st.sampled_from(
        [None, True, 0, 1.10, -1, 10**30]
    )
    return st.recursive(
        plain,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5)
        ),
        max_leaves=25,
    ).map(lambda value: json.dumps(value).encode())
