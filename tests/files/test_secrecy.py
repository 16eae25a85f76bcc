"""What may be repeated where secrets may stand, and what goes out of other people's texts."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.steps import counted

from router.files.cover import Cover, Token
from router.files.secrecy import Redactor, bare, doubtful, plain_key, plain_variable
from router.ports import Originator, redactor
from router.ports.options import HttpUrl, Options, Secret


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example:8443/", "https://a.example:8443/"),
        ("http://[::1]:80/hook", "http://[::1]:80/"),
        ("https://a.example?key=1", "https://a.example"),
        ("https://me:pass@a.example/", ""),
        ("https://a.example/x@y", ""),
        ("https:/a.example/", ""),
        ("sqlite:///hubherald.db", "sqlite:///hubherald.db"),
    ],
)
def test_of_a_url_its_host_is_shown(url: str, shown: str) -> None:
    assert bare(url) == shown


def test_what_is_surely_no_secret() -> None:
    assert plain_key("hold_hours")
    assert not plain_key("secret:hunter2")
    assert not plain_key("a" * 50)
    assert plain_variable("HUBHERALD_SECRET_2")
    assert not plain_variable("JBSWY3DPEHPK3PXP")
    assert not doubtful("90-B3-D5-1F-30-01-00-01")
    assert not doubtful("gas_suplier")
    assert doubtful("hunter2")
    assert doubtful("me@host")


class Hook(Options):
    """What a made-up adapter takes."""

    url: HttpUrl
    secret: Secret
    key_file: Path


HOOK = Hook.model_validate(
    {
        "url": "https://a.example/hooks/T0/B0S3CRET%2B?token=QUERY99",
        "secret": "whsec_hidden",
        "key_file": "/etc/PRIVATE",
    }
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Cannot POST /hooks/T0/B0S3CRET%2B?token=QUERY99", "Cannot POST ***?***"),
        ("no hook b0s3cret+ here", "no hook *** here"),
        (r"{\"path\":\"\/hooks\/T0\/B0S3CRET%2B\"}", r"{\"path\":\"***\"}"),
        ("signed with whsec_hidden", "signed with ***"),
        ("cut: /hooks/T0/B0S3C...; correct `url`", "cut: ***...; correct `url`"),
        ("key_file: /etc/PRIVATE is empty", "key_file: FILE is empty"),
        ("no key in /etc/PRIVATE", "no key in key_file"),
        ("signed with w\u017fhsec, wh\u017fec_hidden", "signed with w\u017fhsec, ***"),
        ("answered 404 Not Found: no such hook", "answered 404 Not Found: no such hook"),
    ],
)
def test_what_comes_back_is_without_what_we_know(said: str, shown: str) -> None:
    assert redactor(HOOK, Originator("id", None, None))(said) == shown


def percent_of_all(text: str) -> str:
    """As programs write what they take for binary."""
    return "".join(f"%{each:02x}" for each in text.encode())


def units(text: str, pattern: str = "\\u{:04x}") -> str:
    """Each character as JSON and JavaScript may write it."""
    raw = text.encode("utf-16-be")
    return "".join(pattern.format(raw[at] << 8 | raw[at + 1]) for at in range(0, len(raw), 2))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, "")),
    "a form": quote_plus,
    "percent of all": percent_of_all,
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "json": lambda text: json.dumps(text)[1:-1],
    "json for pages": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json of all": units,
    "javascript's escape": lambda text: units(text, "%u{:04X}"),
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "python": repr,
    "python's bytes": lambda text: repr(text.encode()),
    "html": html.escape,
    "html of all": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "html in hex": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
    "html in json": lambda text: json.dumps(html.escape(text)),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 of more": lambda text: b64encode(f"a{text}".encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(f"?~{text}~~".encode()).decode().rstrip("="),
    "Basic": lambda text: "Basic " + b64encode(f"someone:{text}".encode()).decode(),
    "Basic in a URL": lambda text: quote(b64encode(f"me:{text}".encode()).decode(), safe=""),
}
BEFORE = [
    "",
    " ",
    "=",
    "/",
    "%2F",
    "%2f",
    "%3D",
    "%253D",
    r"\u003d",
    r"\u003D",
    r"\/",
    r"\n",
    r"\t",
]
BEFORE += [
    "&amp;",
    "&#61;",
    "&#x3D;",
    "&quot;",
    "%u003d",
    r"\x3d",
    r"\\u003d",
    "_",
    ":",
    "(",
    "%26",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "secret", ["Tr0ub4dor&3", 'a/b+c="d"<e>', "geheim nis/ö€", "p\\a\tss 😀", "hunt"]
)
def test_a_secret_does_not_come_back_in_another_spelling(spelling: str, secret: str) -> None:
    redact = redactor(Hook(url="https://a.example/", secret=secret, key_file=Path("k")))
    said = SPELLINGS[spelling](secret)
    for before in BEFORE:
        shown = redact(f"refused: {before}{said}; ask us")
        assert said not in shown
        assert "***" in shown
        assert shown.startswith("refused: ")
        assert shown.endswith("; ask us")


@pytest.mark.parametrize("part", ["B0S3CRET%2B", "B0S3CRET+", "QUERY99", "key9/x y", "bare-token"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_nor_does_what_is_secret_in_a_url(spelling: str, part: str) -> None:
    url = "https://a.example/hooks/id=B0S3CRET%2B?v=1&token=QUERY99&k=key9%2Fx+y&bare-token"
    redact = redactor(Hook(url=url, secret="whsec_hidden", key_file=Path("k")))
    said = SPELLINGS[spelling](part)
    for before in BEFORE:
        shown = redact(f"no hook {before}{said} here")
        assert said not in shown
        assert "***" in shown


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=8, max_size=40),
    st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=2),
)
def test_nor_in_two_spellings_of_one_another(secret: str, spellings: list[str]) -> None:
    assume(len("".join(secret.split())) >= 8)
    said = secret
    for each in spellings:
        said = SPELLINGS[each](said)
    assume(sum("ase64" in each or "Basic" in each for each in spellings) < 2)
    redact = redactor(Hook(url="https://a.example/", secret=secret, key_file=Path("k")))
    assert "***" in redact(f"refused={said};")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (r"no hook \/hooks\/T0\/B0S3...; correct", "no hook ***...; correct"),
        ("no hook %2Fhooks%2FT0%2FB0S3CRET%2...; correct", "no hook ***...; correct"),
        ("no hook&amp;B0S3CR...", "no hook&amp;***..."),
        ("no hook &B0S3CR...", "no hook &***..."),
        ("asked with d2hzZWNfaGlkZGVu", "asked with ***"),
        ("asked with d2hzZWNfaGlk...", "asked with ***..."),
        ("key hidden.", "key ***."),
        ("none is unhidden", "none is unhidden"),
    ],
)
def test_nor_where_it_was_cut(said: str, shown: str) -> None:
    assert redactor(HOOK)(said) == shown


@pytest.mark.parametrize(
    "piece",
    ["whsec_hidden ", "%2F", r"\\u00", "...", "whse...", "&amp;", "d2hzZWNfaGlkZGVu ", "a"],
)
def test_hiding_takes_time_as_the_text_is_long(piece: str) -> None:
    """Whatever a receiver repeats, and however often."""
    redact = redactor(HOOK)
    once, tenfold = (counted(lambda n=n: redact(piece * n)) for n in (300, 3_000))
    assert tenfold < 12 * once


def test_to_know_what_to_hide_takes_time_as_there_is_much() -> None:
    urls = [
        "/".join(["https://a.example", *(f"part{n}{more}" for n in range(10 * more))])
        for more in (1, 10)
    ]
    few, many = (
        counted(lambda url=url: redactor(Hook(url=url, secret="whsec_hidden", key_file=Path("k"))))
        for url in urls
    )
    assert many < 12 * few


def test_who_knows_nothing_takes_nothing_out() -> None:
    assert Redactor([])("a... b_file: b_file") == "a... b_file: b_file"


def test_a_cover_is_lifted_where_somebody_knows_what_stands_there() -> None:
    text = "a: one # two\nb: |  # three\n  four\n # five\n"
    cover = Cover(text)
    key, value = Token(0, 0, "a"), Token(0, 3, "one")
    block = Token(1, 3, "|  # three\n  four\n # five\n")
    assert cover.line(0) == ""
    cover.lay(iter([key, value, Token(1, 0, "b"), block]))
    assert cover.trust() == "*: ***\n*: ***\n******\n\n"
    cover.reveal(key)
    assert cover.reveal(value, "a")
    assert cover.line(0) == "a: one "
    cover.reveal(block, "b")
    assert cover.trust() == "a: one\n*: |\n  four\n\n"


def test_a_line_without_end_is_not_shown() -> None:
    cover = Cover("a" * 3_000)
    token = Token(0, 0, "a" * 3_000)
    cover.lay(iter([token]))
    cover.reveal(token)
    assert cover.line(0) == ""
