"""What is kept of a page that a receiver answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.page import words_of

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Error</title>
<style>body { color: red }</style></head>
<body><pre>Cannot POST /receive &amp; more<br>here</pre><script>alert(1)</script></body>"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PAGE, "Error Cannot POST /receive & more here"),
        ("\n <HTML><h1>No</h1> way </HTML>", "No way"),
        ("<html><head><title>503 Serv", "503 Serv"),
        ("<html><head><style>p {", ""),
        ("<html>", ""),
    ],
)
def test_of_a_page_its_words_are_kept(text: str, words: str) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", ["", "no page", "<a>no  page</a>", "<htmlx>", '{"a": "<html>"}'])
def test_another_text_stays(text: str) -> None:
    assert words_of(text) == text


@given(st.lists(st.sampled_from(("<![no x]>", "<!a [", "<!--", "<?b", "</", "&#", "<b a='", "a"))))
def test_no_page_is_too_strange(pieces: list[str]) -> None:
    words_of("<html>" + "".join(pieces))  # some versions of Python stop there, others skip it
