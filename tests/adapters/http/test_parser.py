"""Reading answers: tidy and untidy ones, whole or byte by byte, and how much of them at most."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.http.answer import NoStatusError
from adapters.http.parser import MOST_BODY, MOST_HEAD, AnswerParser, plain

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# the answer; its status, its body, whether the connection serves on; a word of the note
ANSWERS: dict[str, tuple[bytes, int, bytes, bool, str]] = {
    "plain": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True, ""),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, ""),
    "in chunks": (
        CHUNKED + b"2;x=y\r\nok\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n",
        200,
        b"ok!",
        True,
        "",
    ),
    "hints before": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: </a>\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
        204,
        b"",
        True,
        "",
    ),
    "hints without an empty line behind them": (
        b"HTTP/1.1 100 Continue\r\nHTTP/1.1 103 x\r\nLink: </a>\r\nHTTP/1.1 204 x\r\n\r\n",
        204,
        b"",
        True,
        "no empty line in front of its status",
    ),
    "a byte order mark before": (
        b"\xef\xbb\xbfHTTP/1.1 204 x\r\n\r\n",
        204,
        b"",
        True,
        "",
    ),
    "it hangs up afterwards": (
        b"HTTP/1.1 200 OK\r\nConnection: Keep, CLOSE\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        False,
        "",
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nfine", 200, b"fine", False, ""),
    "lines end in LF": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", True, ""),
    "lines before": (b"\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, b"", True, ""),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True, ""),
    "no space": (b"http/1.1\t 200OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True, ""),
    "no version but 2": (b"HTTP/2 202 \r\n\r\n", 202, b"", False, ""),
    "Latin-1": (
        b"HTTP/1.1 200 G\xfct\r\nServer: \xdcber\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "a folded header": (
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "a folded one first": (
        b"HTTP/1.1 200 OK\r\n b\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "a header of 9 kB": (
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "1000 headers": (
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"Content-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "headers without end": (
        b"HTTP/1.1 204 x\r\nX: " + b"x" * 100_000,
        204,
        b"",
        False,
        "64 kB of headers",
    ),
    "a reason without end": (
        b"HTTP/1.1 204 " + b"x" * 100_000,
        204,
        b"",
        False,
        "64 kB of headers",
    ),
    "cut off in its headers": (b"HTTP/1.1 503 Busy\r\nRetry-Af", 503, b"", False, ""),
    "cut off behind the status": (b"HTTP/1.1 204", 204, b"", False, ""),
    "a header without a colon": (
        b"HTTP/1.1 200 OK\r\nwhat is this\r\n: y\r\nContent-Length : 0\r\n\r\n",
        200,
        b"",
        True,
        "a line of its headers is none",
    ),
    "odd bytes in headers": (
        b"HTTP/1.1 200 OK\r\nX\x00(y): \x00\x01\xff\rZ\r\nContent-Length: 0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "a body behind 204": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        204,
        b"",
        False,
        "a body behind 204",
    ),
    "chunks behind 304": (
        b"HTTP/1.1 304 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        304,
        b"",
        False,
        "a body behind 304",
    ),
    "less than it says": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        200,
        b"half",
        False,
        "",
    ),
    "no length": (
        b"HTTP/1.1 500 x\r\nContent-Length: -1\r\n\r\nwhy",
        500,
        b"why",
        False,
        "length is none",
    ),
    "two lengths": (
        b"HTTP/1.1 500 x\r\nContent-Length: 1\r\nContent-Length: 3\r\n\r\nwhy",
        500,
        b"why",
        False,
        "length is none",
    ),
    "the same twice": (
        b"HTTP/1.1 500 x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nwhy",
        500,
        b"why",
        True,
        "",
    ),
    "a length of 5000 digits": (
        b"HTTP/1.1 200 x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        200,
        b"",
        False,
        "",
    ),
    "not in chunks": (CHUNKED + b"ok", 200, b"", False, ""),
    "not in chunks at all": (CHUNKED + b"fine\r\n", 200, b"", False, "not in chunks"),
    "a chunk of minus one": (CHUNKED + b"-1\r\nok", 200, b"", False, "not in chunks"),
    "chunks and a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        200,
        b"",
        True,
        "",
    ),
    "an unknown coding": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxx",
        200,
        b"xx",
        False,
        "",
    ),
    "a body without end": (
        b"HTTP/1.1 500 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 50_000,
        500,
        b"x" * MOST_BODY,
        False,
        "",
    ),
    "trailers without end": (
        CHUNKED + b"0\r\n" + b"x: y\r\n" * 30_000,
        200,
        b"",
        False,
        "64 kB of headers",
    ),
    "switching": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", 101, b"", True, ""),
}


def read(answer: bytes, piece: int, *, reused: bool = False) -> AnswerParser:
    parser = AnswerParser(reused=reused)
    for start in range(0, len(answer), piece):
        if not parser.done:
            parser.feed(answer[start : start + piece])
    if not parser.done:
        parser.end()
    return parser


@pytest.mark.parametrize("piece", [1, 7, 1_000_000])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_status_that_came_stands(name: str, piece: int) -> None:
    text, status, body, reusable, note = ANSWERS[name]
    parser = read(text, piece)
    answer = parser.answer
    assert (answer.status, answer.body) == (status, body)
    assert note in answer.untidy
    assert bool(answer.untidy) == bool(note)
    assert parser.reusable == reusable


def test_more_than_it_says() -> None:
    parser = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokAND MORE", 1000)
    assert (parser.answer.body, parser.reusable) == (b"ok", False)
    assert "more came than it said" in parser.answer.untidy


def test_the_headers_that_count() -> None:
    text = (
        b"HTTP/1.1 301 x\r\nretry-after:  7 \r\nRetry-After: 9\r\nLOCATION: /\xc3\xa9\xff\r\n\r\n"
    )
    answer = read(text, 1).answer
    assert (answer.retry_after, answer.location) == ("7", "/é\ufffd")


@pytest.mark.parametrize("piece", [1, 65_536])
@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nnone\r\n\r\n",
        b"\r\n",
        b"HTTP/1.1 102 " + b"x" * 70_000,
        b"HTTP/1.1 102 x\r\n" + b"x: y\r\n" * 12_000,
    ],
    ids=["100", "103", "empty lines", "a reason", "headers"],
)
def test_what_comes_before_the_final_status_is_bounded(endless: bytes, piece: int) -> None:
    parser, fed = AnswerParser(), 0
    text = endless * (2 * MOST_HEAD // len(endless) + 2)
    with pytest.raises(NoStatusError, match="more than 64 kB of headers came before a status"):
        for start in range(0, len(text), piece):
            parser.feed(text[start : start + piece])
            fed += piece
    assert fed <= MOST_HEAD + piece


@pytest.mark.parametrize(
    "text", [b"SSH-2.0-OpenSSH\r\n", b"\x00", b"HTTP/1.1 OK\r\n", b"HTTP/1.1 2000 x", b"<html>"]
)
def test_what_is_no_http_is_told_as_that(text: bytes) -> None:
    with pytest.raises(NoStatusError, match="does not speak HTTP"):
        read(text, 1_000_000)


@pytest.mark.parametrize("text", [b"", b"H", b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_what_ends_too_soon_has_no_status(text: bytes) -> None:
    assert read(text, 1).status is None


@pytest.mark.parametrize("junk", [b"ok", b"AND MORE THAN SAID\r\n", b"\r\n0\r\n\r\n"])
def test_what_an_earlier_answer_has_too_much_is_not_this_one(junk: bytes) -> None:
    text = junk + b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    for piece in (1, 1000):
        assert read(text, piece, reused=True).answer.status == 202
    with pytest.raises(NoStatusError, match="does not speak HTTP"):
        read(b"x" * 5000, 1, reused=True)


HEADERS = ["Server: x", "content-length: {}", "Connection: Keep-Alive", "Connection: close", "X"]
HEADERS += ["Transfer-Encoding: chunked", "Retry-After: 3", "Content-Length : {}", " folded", "A:b"]
HEADERS += ["Location: /", "X-Content-Length: 1", "Content-Length:{},{}", "connection:keep-alive,x"]


@example("200", ["X-Content-Length: 1"], b"x", 0, "\r\n")
@given(
    status=st.sampled_from(["200", "204", "202", "304", "500", "2000", "101"]),
    headers=st.lists(st.sampled_from(HEADERS), max_size=4),
    body=st.binary(max_size=12),
    said=st.integers(0, 12),
    ends=st.sampled_from(["\r\n", "\n"]),
)
def test_what_is_plain_is_what_the_parser_makes_of_it(
    status: str, headers: list[str], body: bytes, said: int, ends: str
) -> None:
    lines = [f"HTTP/1.1 {status} OK", *(each.format(said, said) for each in headers), "", ""]
    came = ends.join(lines).encode() + body
    found = plain(came)
    if found is not None:
        parser = AnswerParser(reused=True)
        parser.feed(came)
        assert (parser.done, parser.reusable) == (True, True)
        assert found == parser.answer


@pytest.mark.parametrize(
    "came",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nDate: now\r\nConnection: keep-alive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_what_nearly_all_say_is_plain(came: bytes) -> None:
    assert plain(came) is not None
    assert plain(came[:-1]) is None
    assert plain(came + b"x") is None
