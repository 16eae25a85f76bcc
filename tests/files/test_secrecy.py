"""What may be repeated where secrets may stand, and what goes out of other people's texts."""

from __future__ import annotations

from pathlib import Path

import pytest

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
        (r"{\"path\":\"\/hooks\/T0\/B0S3CRET%2B\"}", r"{\"path\":\"\/hooks\/T0\/***\"}"),
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
