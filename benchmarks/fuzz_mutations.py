"""Bytes made wrong: as a hand slips, a sender errs, or as somebody means it. Pure, by a seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

TOKENS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x80\xae"),
    *(b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400, b"1_000", b"0x1F", b"~"),
    *(b"{", b"}", b"[", b"]", b'"', b"'", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"&a", b"*a"),
    *(b"<<: *a", b"!!python/object:x", b"%YAML 1.1", b"---", b"...", b"\t", b"${X}", b"${", b"|"),
    *(b";", b'""', b"=1+1", b"[" * 300, b"{" * 300, b"a" * 5_000, b"? ", b"- - - -", b"#", b"@"),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**63,
        10**400,
        1.5,
        "",
        " ",
        "\x00",
        "\ud800",
        "\u202e",
        "x" * 9_000,
    ),
    *([], {}, [[]], [None] * 50, {"": ""}, {"a": {"b": {"c": []}}}, "0001-01-01T00:00:00Z"),
    *("9999-12-31T23:59:60Z", "2026-02-30", "90-B3-D5-1F-30-00-10-0G", "00-00-00-00-00-00-00-00"),
    *("1e5", "½", "٣", "2026-06-01T12:00:00+99:99", "success ", "SUCCESS"),
)
Mutation = Callable[[Random, bytes], bytes]


def _span(random: Random, text: bytes, longest: int = 40) -> tuple[int, int]:
    start = random.randrange(len(text) + 1)
    return start, min(len(text), start + random.randint(1, longest))


def _flip(random: Random, text: bytes) -> bytes:
    if not text:
        return text
    place = random.randrange(len(text))
    return text[:place] + bytes((text[place] ^ (1 << random.randrange(8)),)) + text[place + 1 :]


def _cut(random: Random, text: bytes) -> bytes:
    start, end = _span(random, text)
    return text[:start] + text[end:]


def _end(random: Random, text: bytes) -> bytes:
    return text[: random.randrange(len(text) + 1)]


def _insert(random: Random, text: bytes) -> bytes:
    place = random.randrange(len(text) + 1)
    return text[:place] + random.choice(TOKENS) + text[place:]


def _replace(random: Random, text: bytes) -> bytes:
    start, end = _span(random, text)
    return text[:start] + random.choice(TOKENS) + text[end:]


def _twice(random: Random, text: bytes) -> bytes:
    start, end = _span(random, text, 200)
    return text[:end] + text[start:end] + text[end:]


def _lines(random: Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    random.shuffle(lines) if random.random() < 0.2 else lines.sort(key=lambda _: random.random())
    return b"".join(lines[: random.randint(1, max(1, len(lines)))])


def _indent(random: Random, text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    if lines:
        place = random.randrange(len(lines))
        lines[place] = random.choice((b" ", b"  ", b"\t", b"- ", b"")) + lines[place].lstrip()
    return b"".join(lines)


def _packed(random: Random, text: bytes) -> bytes:
    packed = bytearray(gzip.compress(text, mtime=0))
    if random.random() < 0.7:
        packed[random.randrange(len(packed))] ^= 255
    return bytes(packed)


OF_TEXT: Sequence[Mutation] = (_flip, _cut, _end, _insert, _replace, _twice, _lines, _indent)
OF_BYTES: Sequence[Mutation] = (_flip, _cut, _end, _insert, _replace, _twice, _packed)


def wrong_text(random: Random, text: bytes, how: Sequence[Mutation] = OF_TEXT) -> bytes:
    """The text with one to three slips."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = random.choice(how)(random, text)
    return text


def wrong_event(random: Random, event: dict[str, Any]) -> bytes:
    """An event whose JSON is right and says the wrong, or whose bytes are wrong."""
    made: Any = json.loads(json.dumps(event))
    if random.random() < 0.6:
        for _ in range(random.choice((1, 1, 2))):
            _spoil(random, made)
    if random.random() < 0.05:
        made = [{**made, "n": number} for number in range(random.randint(0, 3))]
    text = json.dumps(made, ensure_ascii=random.random() < 0.7)
    body = text.encode("utf-8", "surrogatepass")
    return wrong_text(random, body, OF_BYTES) if random.random() < 0.5 else body


def _spoil(random: Random, event: dict[str, Any]) -> None:
    """One value, name or member."""
    within = (
        event["data"] if random.random() < 0.6 and isinstance(event.get("data"), dict) else event
    )
    if not within:
        return
    key = random.choice(list(within))
    way = random.randrange(5)
    if way == 0:
        del within[key]
    elif way == 1:
        within[random.choice((key.upper(), key + " ", "", "x" * 300, "\x00"))] = within.pop(key)
    elif way == 2 and isinstance(within[key], str):
        within[key] = wrong_text(random, within[key].encode(errors="replace")).decode(
            errors="replace"
        )
    else:
        within[key] = random.choice(VALUES)
